package proxy

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
)

// Register adds the proxy's calls to its control socket. drain is called to
// end the proxy.
func (p *Proxy) Register(s *control.Server, drain func()) {
	s.Healthy = p.healthy
	s.Metrics = p.metrics
	s.Handle("GET "+protocol.PathRequests, func(*http.Request) (any, error) {
		return protocol.RequestList{Requests: p.requests()}, nil
	})
	s.Handle("GET "+protocol.PathApps, func(*http.Request) (any, error) {
		r := p.snapshot()
		return protocol.ProxyApps{RoutesVersion: r.RoutesVersion, Connections: p.connections(), Report: r}, nil
	})
	s.Handle("POST "+protocol.PathDrain, func(*http.Request) (any, error) {
		drain()
		return nil, nil
	})
}

func (p *Proxy) healthy() error {
	switch {
	case p.draining.Load():
		return errStopping
	case p.index.Load().version == 0:
		return errors.New("no route table has come yet")
	}
	return nil
}

// Pulse hangs if the proxy does: it takes each lock for an instant.
func (p *Proxy) Pulse() {
	p.allApps() // looks at each
	p.connections()
}

func (p *Proxy) metrics(m *control.Metrics) {
	r := p.snapshot()
	m.Gauge("passenger_proxy_connections", "Client connections open.", float64(p.connections()))
	m.Gauge("passenger_proxy_routes_version", "Version of the route table in use.", float64(r.RoutesVersion))
	m.Gauge("passenger_proxy_kept_memory_bytes", "Memory for answers that clients do not take.", float64(p.memory.used.Load()))
	m.Counter("passenger_proxy_unkept_total", "Bodies of requests and answers that could not be kept on disk.", float64(p.unkept.Load()))
	if p.Certificates != nil {
		p.Certificates.metrics(m)
	}
	for name, a := range r.Apps {
		m.Counter("passenger_proxy_requests_total", "Requests that ended.", float64(a.Requests), "app", name)
		m.Counter("passenger_proxy_rejected_total", "Requests answered by the proxy because of the queue.", float64(a.Rejected), "app", name)
		m.Gauge("passenger_proxy_upgraded", "Upgraded connections open, such as WebSockets.", float64(a.Upgraded), "app", name)
		m.Counter("passenger_proxy_upgraded_closed_total", "Upgraded connections closed because their process or the proxy was to go.", float64(a.UpgradedClosed), "app", name)
		if a.CacheHits+a.CacheMisses > 0 {
			m.Counter("passenger_proxy_cache_hits_total", "Requests answered from kept answers.", float64(a.CacheHits), "app", name)
			m.Counter("passenger_proxy_cache_misses_total", "Requests that no kept answer fitted.", float64(a.CacheMisses), "app", name)
			m.Counter("passenger_proxy_cache_stores_total", "Answers that were kept.", float64(a.CacheStores), "app", name)
		}
		m.Gauge("passenger_proxy_queued", "Requests that wait for a process.", float64(a.Queued), "app", name)
		m.Gauge("passenger_proxy_oldest_wait_seconds", "How long the first of them has waited.", a.OldestWait, "app", name)
	}
	for id, pr := range r.Processes {
		m.Counter("passenger_proxy_sessions_total", "Sessions that ended.", float64(pr.Processed), "process", id)
		m.Gauge("passenger_proxy_in_flight", "Sessions under way.", float64(pr.InFlight), "process", id)
	}
}

// requests lists the requests in flight, oldest first.
func (p *Proxy) requests() []protocol.Request {
	now := time.Now()
	list := []protocol.Request{}
	p.clock.each(func(c *conn) {
		if c.client == nil {
			return
		}
		c.client.mu.Lock()
		defer c.client.mu.Unlock()
		if x := c.client.x; x != nil {
			list = append(list, x.describe(now))
		}
	})
	slices.SortFunc(list, func(a, b protocol.Request) int {
		switch {
		case a.Age > b.Age:
			return -1
		case a.Age < b.Age:
			return 1
		}
		return 0
	})
	return list
}

// connections counts the clients.
func (p *Proxy) connections() int {
	n := 0
	p.clock.each(func(c *conn) {
		if c.client != nil {
			n++
		}
	})
	return n
}
