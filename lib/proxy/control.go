package proxy

import (
	"errors"
	"slices"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/proxy/wire"
)

// Register adds the proxy's calls to its control socket. drain is called to
// end the proxy, with the cause to end it for.
func (p *Proxy) Register(s *control.Server, drain func(cause error)) {
	s.Healthy, s.Metrics = p.healthy, p.metrics
	s.Register(p.table(drain)...)
}

// table is what the proxy answers.
func (p *Proxy) table(drain func(cause error)) []control.Call {
	return []control.Call{
		{Method: "GET", Path: protocol.PathApps, Access: protocol.Reads, Handler: func(*control.Request) (any, error) {
			return p.Apps(), nil
		}},
		{Method: "GET", Path: protocol.PathRequests, Access: protocol.Reads, Handler: func(*control.Request) (any, error) {
			return protocol.RequestList{Requests: p.requests()}, nil
		}},
		{Method: "POST", Path: protocol.PathLogs, Access: protocol.Changes, Handler: func(r *control.Request) (any, error) {
			if p.AccessLog == nil {
				return nil, nil
			}
			return nil, p.AccessLog.Reopen(r.Context())
		}},
		{Method: "POST", Path: protocol.PathDrain, Access: protocol.Changes, Ordered: true, Handler: func(r *control.Request) (any, error) {
			cause, err := p.leaveOf(r)
			if err == nil {
				drain(cause)
			}
			return nil, err
		}},
	}
}

// Apps is what there is of each app now.
func (p *Proxy) Apps() protocol.ProxyApps {
	r := p.snapshot()
	return protocol.ProxyApps{RoutesVersion: r.RoutesVersion, Connections: p.connections(), Report: r}
}

func (p *Proxy) healthy() error {
	switch {
	case p.leaving.Load():
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

// requests lists the requests in flight, oldest first.
func (p *Proxy) requests() []protocol.Request {
	now := time.Now()
	list := []protocol.Request{}
	p.clock.Each(func(c *wire.Conn) {
		k := clientOf(c)
		if k == nil {
			return
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if x := k.x; x != nil {
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

// Idle says that no client is connected.
func (p *Proxy) Idle() bool { return p.connections() == 0 }

// connections counts those of clients: one of HTTP/2 is one, whatever streams it
// has.
func (p *Proxy) connections() int {
	n := p.http2.count()
	p.clock.Each(func(c *wire.Conn) {
		if k := clientOf(c); k != nil && !k.http2 {
			n++
		}
	})
	return n
}
