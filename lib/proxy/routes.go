package proxy

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"passenger/lib/httpcache"
	"passenger/lib/protocol"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/files"
)

// An index finds the app that a request is for. It is made once per route
// table and never changed.
type index struct {
	version  uint64
	exact    map[string]*site // by host name
	wildcard map[string]*site // by what follows the star: ".example.com"
	any      *site
	mounts   []*mount
	byName   map[string]*mount // by the app's name
}

// A site is the apps of one host name by base URI.
type site struct {
	mounts  map[string]*mount // "/" is ""
	longest int               // base URI
}

// A mount is an app at its place.
type mount struct {
	app   *app
	base  string // "" or the path below which it is mounted
	route *protocol.Route
	home  *files.Home

	readTimeout, queueTime time.Duration
	requestTime            time.Duration // 0 for none
	sticky                 sticky
	files                  *files.Files     // nil if there are none
	cache                  *httpcache.Cache // nil if its answers are not kept
	cacheCookie            []byte           // whose value they go by; nil for none
	scarce                 bool             // some process takes a limited number of requests
	passesExpect           bool             // the process answers Expect
	mostKept               int64            // of an answer that its client does not take, in bytes; 0 for nothing
}

// defaultReadTimeout is what a table means that leaves the time out.
const defaultReadTimeout = 10 * time.Minute

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func orElse(s float64, d time.Duration) time.Duration {
	if s > 0 {
		return seconds(s)
	}
	return d
}

// newIndex indexes a table. find returns the app of a name.
func newIndex(t *protocol.Routes, find func(name string) *app) *index {
	x := &index{version: t.Version, exact: map[string]*site{}, wildcard: map[string]*site{}, any: newSite(), byName: map[string]*mount{}}
	for i := range t.Apps {
		r := &t.Apps[i]
		m := &mount{app: find(r.App), base: strings.TrimRight(r.BaseURI, "/"), route: r,
			readTimeout: orElse(r.ReadTimeout, defaultReadTimeout), queueTime: balance.QueueTime(r), requestTime: seconds(r.RequestTime)}
		m.sticky = newSticky(m)
		if r.CacheCookie != "" {
			m.cacheCookie = []byte(r.CacheCookie)
		}
		m.home, m.files = m.app.dirs.Home(r, nil), m.app.dirs.Files(r)
		m.scarce = len(r.Processes) == 0 || slices.ContainsFunc(r.Processes, func(p protocol.RouteProcess) bool { return p.Concurrency > 0 })
		m.mostKept, m.passesExpect = mostKept(r), passesExpect(r)
		x.mounts = append(x.mounts, m)
		x.byName[r.App] = m
		if r.Unlisted {
			continue
		}
		if len(r.ServerNames) == 0 {
			x.any.add(m)
		}
		for _, name := range r.ServerNames {
			name = strings.TrimSuffix(strings.ToLower(name), ".")
			if rest, ok := strings.CutPrefix(name, "*"); ok {
				siteOf(x.wildcard, rest).add(m)
			} else {
				siteOf(x.exact, name).add(m)
			}
		}
	}
	return x
}

// overflowStatus is the status for a request that finds the queue full.
func (m *mount) overflowStatus() int {
	if s := m.route.OverflowStatus; s != 0 {
		return s
	}
	return 503
}

func newSite() *site { return &site{mounts: map[string]*mount{}} }

func siteOf(sites map[string]*site, name string) *site {
	if sites[name] == nil {
		sites[name] = newSite()
	}
	return sites[name]
}

// add mounts m. The first of two at one place stays: the pool refuses the
// second, so this only decides what a wrong table does.
func (s *site) add(m *mount) {
	if s.mounts[m.base] == nil {
		s.mounts[m.base] = m
		s.longest = max(s.longest, len(m.base))
	}
}

// find returns the app for a host, with or without port, and a path; nil if
// there is none. An exact name wins over a wildcard, a longer wildcard over a
// shorter, and any of these over apps without names.
func (x *index) find(host, path []byte) *mount {
	if len(x.exact) > 0 || len(x.wildcard) > 0 {
		var lower [256]byte
		name := hostName(lower[:0], host)
		if s := x.exact[string(name)]; s != nil {
			if m := s.find(path); m != nil {
				return m
			}
		}
		for rest := name; len(x.wildcard) > 0; {
			dot := bytes.IndexByte(rest, '.')
			if dot < 0 {
				break
			}
			if s := x.wildcard[string(rest[dot:])]; s != nil && dot > 0 {
				if m := s.find(path); m != nil {
					return m
				}
			}
			rest = rest[dot+1:]
		}
	}
	return x.any.find(path)
}

// find returns the mount with the longest base URI that path lies below.
func (s *site) find(path []byte) *mount {
	if s.longest > 0 {
		// Only ends of path elements count: cut from the right.
		p := path
		if len(p) > s.longest {
			cut := s.longest
			if p[cut] != '/' {
				cut = bytes.LastIndexByte(p[:cut], '/')
			}
			p = p[:max(cut, 0)]
		}
		for len(p) > 0 {
			if m := s.mounts[string(p)]; m != nil {
				return m
			}
			p = p[:max(bytes.LastIndexByte(p, '/'), 0)]
		}
	}
	return s.mounts[""]
}

// hostName appends host in lower case, without its port and a final dot.
func hostName(b, host []byte) []byte {
	if n := bytes.LastIndexByte(host, ':'); n >= 0 && bytes.IndexByte(host[n:], ']') < 0 {
		host = host[:n]
	}
	for _, c := range host {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return bytes.TrimSuffix(b, []byte{'.'})
}
