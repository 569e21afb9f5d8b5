package httpcache

import "hash/maphash"

// remembered is how many invalidations a cache knows one from another. An
// answer that more of them overtook is not kept.
const remembered = 256

var hashSeed = maphash.MakeSeed()

// Changes are the invalidations of a cache, counted: an answer that was asked
// for before one of its URI may be older than it.
type changes struct {
	count uint64
	all   uint64             // count after the last one of everything
	uris  [remembered]uint64 // hashes, those of the last ones, by count
}

// note counts the invalidation of a URI.
func (c *changes) note(uri string) {
	c.uris[c.count%remembered] = maphash.String(hashSeed, uri)
	c.count++
}

// noteAll counts the invalidation of everything.
func (c *changes) noteAll() {
	c.count++
	c.all = c.count
}

// since says whether a URI may have been invalidated since the count was what
// it was.
func (c *changes) since(count uint64, uri string) bool {
	if count < c.all || c.count-count > remembered {
		return true
	}
	hash := maphash.String(hashSeed, uri)
	for ; count < c.count; count++ {
		if c.uris[count%remembered] == hash {
			return true
		}
	}
	return false
}
