package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"

	"passenger/lib/protocol"
	"passenger/lib/proxy/listen"
)

func TestDrainFinishesWhatIsInFlight(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		g := newGate()
		f := start(t, proto, 1, g.answer)
		s := serve(t, Config{}, route(f))
		idle, late := s.dial(), s.dial()
		// The connections are accepted, not only in the kernel's queue.
		eventually(t, "two connections", func() bool { return s.connections() == 2 })
		running := s.dial().send("GET /running HTTP/1.1\r\nHost: a\r\n\r\n")
		within(t, g.came, "the call")
		queued := s.dial().send("GET /queued HTTP/1.1\r\nHost: a\r\n\r\n")
		eventually(t, "its place", func() bool { return s.queued() == 1 })
		s.cancel()
		eventually(t, "the drain", func() bool { return s.healthy() != nil })
		eventually(t, "no new connection", func() bool {
			c, err := net.Dial("tcp", s.addr)
			if err == nil {
				c.Close()
			}
			return errors.Is(err, syscall.ECONNREFUSED)
		})
		// A request that was on its way when the drain began is served.
		late.send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
		eventually(t, "its place", func() bool { return s.queued() == 2 })
		g.open()
		for _, p := range []*peer{running, queued, late} {
			if r := p.receive("GET"); r.Status != 200 || !r.Close {
				t.Errorf("got %+v", r)
			}
			p.closed()
		}
		idle.closed()
		within(t, s.stopped, "the end")
		eventually(t, "the process's connections are closed", func() bool { return f.open.Load() == 0 })
	})
}

func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		g := newGate()
		f := start(t, proto, 1, g.answer)
		s := serve(t, short(func(t *Timeouts) { t.Drain = brief }), route(f))
		running := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		within(t, g.came, "the call")
		queued := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		eventually(t, "its place", func() bool { return s.queued() == 1 })
		s.cancel()
		within(t, s.stopped, "the end")
		if r := queued.receive("GET"); r.Status != 503 {
			t.Errorf("got %+v", r)
		}
		running.Close()
	})
}

// A stream without an end ends with the drain, and the client sees that it was
// cut off; until then it flows.
func TestEndlessStreamsEndWithTheDrain(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{nil, ErrHandedOver} {
		more := make(chan struct{})
		f := start(t, "http", 0, func(c *call) bool {
			c.reply("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n8\r\ndata: 1\n\r\n")
			<-more
			c.reply("8\r\ndata: 2\n\r\n")
			<-c.Upstream.killed
			return false
		})
		s := serve(t, Config{}, route(f))
		p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		r, err := http.ReadResponse(p.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.end(cause)
		eventually(t, "the drain", func() bool { return s.healthy() != nil })
		close(more)
		body := make([]byte, len("data: 1\ndata: 2\n"))
		if _, err := io.ReadFull(r.Body, body); err != nil {
			t.Fatal(err)
		}
		s.cutOff() // as at the drain's end
		rest, err := io.ReadAll(r.Body)
		body = append(body, rest...)
		if string(body) != "data: 1\ndata: 2\n" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%v: got %q, %v; want two events and an end in between", cause, body, err)
		}
		within(t, s.stopped, "the end")
		f.kill()
	}
}

// A system without descriptors is waited for.
func TestAcceptGoesOnAfterErrors(t *testing.T) {
	t.Parallel()
	p := New(Config{Timeouts: quick})
	inner, err := listen.At("127.0.0.1:0", listen.SocketFile{})
	if err != nil {
		t.Fatal(err)
	}
	l := &failing{Listener: inner}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); p.Serve(ctx, []net.Listener{l}) }()
	c := dialPeer(t, "tcp", inner.Addr().String())
	if r := c.get("/"); r.Status != 503 {
		t.Errorf("got %+v", r)
	}
	if n := l.calls.Load(); n < 4 || n > 6 {
		t.Errorf("accept was called %d times", n)
	}
	cancel()
	within(t, done, "the end")
}

// failing fails three times.
type failing struct {
	net.Listener
	calls atomic.Int64
}

func (f *failing) Accept() (net.Conn, error) {
	switch f.calls.Add(1) {
	case 1, 2:
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	case 3:
		return nil, &net.OpError{Op: "accept", Err: syscall.ECONNABORTED}
	}
	return f.Listener.Accept()
}

// X23, Go 2021-36221: a bug in one request ends one connection.
func TestPanicsEndOneConnection(t *testing.T) {
	t.Parallel()
	f := start(t, "session", 1, say("ok"))
	s := serve(t, Config{}, route(f))
	client, server := net.Pipe() // has no descriptor
	defer client.Close()
	s.welcome(server, nil)
	if r := s.dial().get("/"); r.Body != "ok" {
		t.Errorf("got %+v", r)
	}
	// An app that is not there makes the next request panic.
	p := s.dial()
	p.get("/")
	x := &index{version: 1}
	x.hosts.Add(nil, "", &mount{route: &protocol.Route{}})
	s.index.Store(x)
	p.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").closed()
	s.set(route(f))
	if r := s.dial().get("/"); r.Body != "ok" {
		t.Errorf("got %+v", r)
	}
}
