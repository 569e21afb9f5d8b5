package proxy

import (
	"slices"
	"strings"
	"time"

	"passenger/lib/httpcache"
	"passenger/lib/protocol"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/hosts"
	"passenger/lib/proxy/limits"
	"passenger/lib/proxy/wire"
)

// An index is a route table in use. It is made once per table and never changed.
type index struct {
	version uint64
	hosts   hosts.Map[mount]
	mounts  []*mount
	byName  map[string]*mount // by the app's name
}

// A mount is an app at its place.
type mount struct {
	app   *app
	base  string // "" or the path below which it is mounted
	route *protocol.Route
	home  *files.Home

	readTimeout, queueTime time.Duration
	requestTime            time.Duration // 0 for none
	sticky                 balance.Sticky
	canary                 balance.CanaryCookie
	canonical              *hosts.Canonical // nil if all host names are as good
	limits                 *limits.Limiter  // nil if there are none
	public                 *files.Public    // its static files; nil if there are none
	cache                  *httpcache.Cache // nil if its answers are not kept
	cacheCookie            []byte           // whose value they go by; nil for none
	scarce                 bool             // some process takes a limited number of requests
	passesExpect           bool             // the process answers Expect
	addsAll                bool             // headers to requests of HTTP, those that few apps read too
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

// newIndex indexes a table. Apps whose routes are those of the former index keep
// their mounts; put makes the others.
func newIndex(t *protocol.Routes, former *index, put func(*protocol.Route) *mount) *index {
	x := &index{version: t.Version, mounts: make([]*mount, 0, len(t.Apps)), byName: make(map[string]*mount, len(t.Apps))}
	for _, r := range t.Apps {
		m := former.byName[r.App]
		if m == nil || m.route != r {
			m = put(r)
		}
		x.mounts = append(x.mounts, m)
		x.byName[r.App] = m
		if r.Unlisted {
			continue
		}
		x.hosts.Add(r.ServerNames, m.base, m)
	}
	return x
}

// newMount is an app at the place that its route says.
func newMount(a *app, r *protocol.Route) *mount {
	m := &mount{app: a, base: strings.TrimRight(r.BaseURI, "/"), route: r,
		readTimeout: orElse(r.ReadTimeout, defaultReadTimeout), queueTime: balance.QueueTime(r), requestTime: seconds(r.RequestTime)}
	m.sticky, m.canary = balance.NewSticky(r, m.base), balance.NewCanaryCookie(r, m.base)
	m.canonical, m.limits = hosts.NewCanonical(r), m.app.limiter.Apply(&r.Serving)
	if r.CacheCookie != "" {
		m.cacheCookie = []byte(r.CacheCookie)
	}
	m.home, m.public = m.app.dirs.Home(r, nil), m.app.dirs.Public(r)
	m.scarce = len(r.Processes) == 0 || slices.ContainsFunc(r.Processes, func(p protocol.RouteProcess) bool { return p.Concurrency > 0 })
	m.mostKept, m.passesExpect = mostKept(r), passesExpect(r)
	m.addsAll = r.AddedHeaders == protocol.HeadersAll
	return m
}

// overflowStatus is the status for a request that finds the queue full.
func (m *mount) overflowStatus() int {
	if s := m.route.OverflowStatus; s != 0 {
		return s
	}
	return 503
}

// mostKept is how many bytes of an answer are kept for a client that does not
// take them, 0 for none.
func mostKept(r *protocol.Route) int64 {
	switch {
	case r.BufferResponse != nil && !*r.BufferResponse:
		return 0
	case r.ResponseHighWater == 0:
		return defaultMostKept
	}
	return max(int64(r.ResponseHighWater), wire.Large)
}
