// Package httpcache is a shared HTTP cache as RFC 9111 has it, in memory and
// bounded. It serves nothing stale, and asks once for what many want.
//
// A Cache is one app's. A request takes a Lookup and gives it the key that its
// answer goes by; the caller says what else than the URI that is. Answer finds
// the entry for it. Of an answer that comes from the app instead, Keeps says
// whether the cache wants it; KeepHead and Add bring it then.
package httpcache

import (
	"sync"
	"sync/atomic"
	"time"

	"passenger/lib/list"
)

// Limits of what is kept of all apps together, and of one.
const (
	maxCached    = 64 << 20 // bytes
	maxAppCached = 4 << 20
	maxEntries   = 1000

	// maxVariants is how many answers of one URI are kept.
	maxVariants = 16

	// entryCost is what an entry takes besides its bytes.
	entryCost = 512
)

// A Cache keeps answers of one app and gives them to every request for the same,
// as long as they are fresh.
type Cache struct {
	total *atomic.Int64 // bytes in all caches together

	Hits, Misses, Stores atomic.Uint64

	mu    sync.Mutex        // guards all below, and the links of entries
	byURI map[string]*Entry // the first variant of each
	used  list.List[*Entry] // all, the last used first
	bytes int64

	changes changes

	// made is what the processes and settings were that the entries are of,
	// empty if no entry is kept any more.
	made string
}

// New makes a cache that keeps nothing until KeepFor has been called. It counts
// its bytes in total, which caches share that are bounded together.
func New(total *atomic.Int64) *Cache { return &Cache{total: total, byURI: map[string]*Entry{}} }

// An Entry is an answer that is kept. But for its links and fetch it is never
// changed, so that it can be sent after it was removed.
type Entry struct {
	uri     string
	variant string // what else of a request its answer goes by
	vary    []varied

	status       int
	head         []byte // status line and fields, without those of the connection and length
	notModified  []byte // the same for an answer 304
	body         []byte
	bare         bool   // it has no body, and no length
	etag         string // empty if there is none
	lastModified string // at the latest

	freshness
	came time.Time

	packable bool      // its body may be sent compressed, in forms that are kept, too
	packed   [4][]byte // by numbers that the caller gives them; its cache's mutex guards them
	kept     bool      // it is in the cache; as above

	use     list.Node[*Entry]
	sibling *Entry        // the next variant
	fetch   chan struct{} // closed when the request that fetches it anew is done; nil if none does
}

// A varied is a field that an answer's Vary names, and its value in the request
// that was answered.
type varied struct{ name, value string }

// ageAt is the entry's age in seconds: RFC 9111, 4.2.3.
func (e *Entry) ageAt(now time.Time) int64 {
	return e.age + int64(max(now.Sub(e.came), 0)/time.Second)
}

func (e *Entry) size() int64 {
	n := entryCost + len(e.uri) + len(e.variant) + len(e.head) + len(e.notModified) + len(e.body)
	for _, p := range e.packed {
		n += len(p)
	}
	for _, v := range e.vary {
		n += len(v.name) + len(v.value)
	}
	return int64(n)
}

// find returns the entry that answers l, nil if there is none. Then wait is
// closed when the request that fetches a stale answer anew is done; if wait is
// nil, l is that request and must call release.
func (c *Cache) find(l *Lookup, now time.Time) (e *Entry, wait <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.changes = c.changes.count
	e = c.match(l)
	switch {
	case e == nil:
		return nil, nil
	case l.takes(e, now):
		c.touch(e)
		return e, nil
	case e.fetch != nil:
		return nil, e.fetch
	case e.ageAt(now) >= e.lifetime && !l.OnlyIfCached(): // who takes nothing else fetches nothing
		e.fetch = make(chan struct{})
		l.fetching = e
	}
	return nil, nil
}

// match returns the entry for l's URI and variant, fresh or not.
func (c *Cache) match(l *Lookup) *Entry {
	for e := c.byURI[string(l.uri)]; e != nil; e = e.sibling {
		if e.variant == string(l.variant) && l.matches(e.vary) {
			return e
		}
	}
	return nil
}

// add keeps e, which answers l, in place of what was kept for it before. It
// does not if that was invalidated since l was looked up.
func (c *Cache) add(l *Lookup, e *Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == "" || c.changes.since(l.changes, e.uri) {
		return
	}
	if old := c.match(l); old != nil {
		c.remove(old)
	}
	variants := 0
	var last *Entry
	for v := c.byURI[e.uri]; v != nil; v = v.sibling {
		variants, last = variants+1, v
	}
	if variants >= maxVariants {
		c.remove(last)
	}
	size := e.size()
	for c.used.Len() > 0 && (c.used.Len() >= maxEntries || c.bytes+size > maxAppCached || c.total.Load()+size > maxCached) {
		c.remove(c.used.Last().Value)
	}
	if c.total.Load()+size > maxCached {
		return // other apps have it all
	}
	e.kept, e.sibling = true, c.byURI[e.uri]
	c.byURI[e.uri] = e
	e.use.Value = e
	c.used.PushFront(&e.use)
	c.bytes += size
	c.total.Add(size)
	c.Stores.Add(1)
}

// release ends what l had to fetch, and lets the requests go on that wait for it.
func (c *Cache) release(l *Lookup) {
	if l.fetching == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	close(l.fetching.fetch)
	l.fetching.fetch, l.fetching = nil, nil
}

// invalidate forgets all answers of a URI.
func (c *Cache) invalidate(uri string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes.note(uri)
	for c.byURI[uri] != nil {
		c.remove(c.byURI[uri])
	}
}

// KeepFor empties the cache unless made, which says of which processes and
// settings its entries are, is what it was.
func (c *Cache) KeepFor(made string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == made {
		return
	}
	c.made = made
	c.changes.noteAll()
	for c.used.Len() > 0 {
		c.remove(c.used.Last().Value)
	}
}

// remove forgets e. c.mu is held, as for what follows.
func (c *Cache) remove(e *Entry) {
	if first := c.byURI[e.uri]; first == e {
		if c.byURI[e.uri] = e.sibling; e.sibling == nil {
			delete(c.byURI, e.uri)
		}
	} else {
		for v := first; v != nil; v = v.sibling {
			if v.sibling == e {
				v.sibling = e.sibling
				break
			}
		}
	}
	e.kept = false
	c.used.Remove(&e.use)
	c.bytes -= e.size()
	c.total.Add(-e.size())
}

// touch notes that e was used.
func (c *Cache) touch(e *Entry) {
	c.used.Remove(&e.use)
	c.used.PushFront(&e.use)
}
