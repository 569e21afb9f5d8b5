package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"syscall"
	"time"

	"passenger/lib/proxy/fronted"
	"passenger/lib/proxy/listen"
)

// acceptPause is how long to wait when descriptors run short.
const acceptPause = 50 * time.Millisecond

// accept welcomes the clients of l until ctx ends.
func (p *Proxy) accept(ctx context.Context, l net.Listener) {
	d := &p.descriptors
	for {
		nc, err := l.Accept()
		if err == nil {
			last := d.Short(nc)
			p.welcome(nc, l)
			if last {
				d.Await(ctx, l, p.makeRoom, func() bool { return pause(ctx) })
			}
			continue
		}
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return
		}
		if errors.Is(err, syscall.ECONNABORTED) {
			continue
		}
		if d.Complained.Due() {
			slog.Error("could not accept a connection", "listener", l.Addr(), "err", err)
		}
		p.makeRoom()
		pause(ctx)
	}
}

// pause waits for acceptPause, and says whether to go on.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(acceptPause):
		return true
	}
}

func (p *Proxy) welcome(nc net.Conn, l net.Listener) {
	_, secure := l.(*listen.TLS)
	_, configures := l.(*listen.Headers)
	if secure || p.ProxyHeader && p.trustsConn(nc) && !configures {
		p.clients.Go(func() { p.greet(nc, secure) })
		return
	}
	c, err := newClient(p, nc)
	if err != nil {
		slog.Error("could not serve a connection", "err", err)
		return
	}
	if configures {
		c.headers = &fronted.Headers{}
		c.trusted, c.stranger = true, nil // the file of that socket says who may connect
	}
	p.clients.Add(1)
	go c.run()
}
