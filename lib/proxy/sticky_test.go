package proxy

import (
	"strings"
	"testing"

	"passenger/lib/protocol"
	"passenger/lib/proxy/balance"
)

// named answers with the ID of its process.
func named(t *testing.T, proto string) *fake {
	return start(t, proto, 1, func(c *call) bool {
		c.ok(c.Upstream.route.ID)
		return true
	})
}

func stickyRoute(fakes ...*fake) protocol.Route {
	r := route(fakes...)
	r.StickySessions, r.StickyCookie, r.StickyAttributes = true, "at", "HttpOnly"
	return r
}

func TestStickyClientsComeBackToTheirProcess(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		a, b, c := named(t, proto), named(t, proto), named(t, proto)
		s := serve(t, Config{}, stickyRoute(a, b, c))
		for _, f := range []*fake{a, b, c, b, a} {
			id := f.route.ID
			r := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\nCookie: x=1; at=" + balance.StickyID(id) + "\r\n\r\n").receive("GET")
			if r.Body != id {
				t.Errorf("got process %s, want %s", r.Body, id)
			}
			if got, want := r.Header.Get("Set-Cookie"), "at="+balance.StickyID(id)+"; Path=/; HttpOnly"; got != want {
				t.Errorf("got cookie %q, want %q", got, want)
			}
		}
		if r := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\nCookie: at=unknown\r\n\r\n").receive("GET"); r.Status != 200 {
			t.Errorf("an unknown process: got %d", r.Status)
		}
	})
}

func TestStickyClientsWaitForTheirProcessAndNobodyForThem(t *testing.T) {
	t.Parallel()
	g := newGate()
	busy, idle := start(t, protocol.ProtocolSession, 1, g.answer), named(t, protocol.ProtocolSession)
	s := serve(t, Config{}, stickyRoute(busy, idle))
	get := "GET /mine HTTP/1.1\r\nHost: a\r\nCookie: at=" + balance.StickyID(busy.route.ID) + "\r\n\r\n"
	s.dial().send(get)
	within(t, g.came, "the first call")
	waits := s.dial().send(get)
	eventually(t, "the second waits", func() bool { return s.queued() == 1 })
	// Whoever wants any process passes by.
	s.set(stickyRoute(busy, idle))
	if n := idle.requests.Load(); n != 0 {
		t.Errorf("another process got %d requests", n)
	}
	g.open()
	if r := waits.receive("GET"); r.Body != "/mine" {
		t.Errorf("got %+v", r)
	}
}

func TestStickyClientsOfAProcessThatLeavesGetAnother(t *testing.T) {
	t.Parallel()
	g := newGate()
	old, fresh := start(t, protocol.ProtocolSession, 1, g.answer), named(t, protocol.ProtocolSession)
	s := serve(t, Config{}, stickyRoute(old, fresh))
	get := "GET / HTTP/1.1\r\nHost: a\r\nCookie: at=" + balance.StickyID(old.route.ID) + "\r\n\r\n"
	s.dial().send(get)
	within(t, g.came, "the first call")
	waits := s.dial().send(get)
	eventually(t, "the second waits", func() bool { return s.queued() == 1 })
	s.set(stickyRoute(fresh))
	if r := waits.receive("GET"); r.Body != fresh.route.ID {
		t.Errorf("got %+v", r)
	}
	g.open()
}

func TestQueueOverflowHasTheStatusAskedFor(t *testing.T) {
	t.Parallel()
	r := route()
	r.QueueSize, r.OverflowStatus = 0, 429
	s := serve(t, Config{}, r)
	if r := s.dial().get("/"); r.Status != 429 || r.Header.Get("Retry-After") == "" {
		t.Errorf("got %+v", r)
	}
}

func TestHalfClosedClientsInTheQueueAreAnswered(t *testing.T) {
	t.Parallel()
	g := newGate()
	f := start(t, protocol.ProtocolSession, 1, g.answer)
	s := serve(t, Config{}, route(f))
	s.dial().send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
	within(t, g.came, "the first call")
	p := s.dial().send("GET /half HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "it waits", func() bool { return s.queued() == 1 })
	p.Conn.(interface{ CloseWrite() error }).CloseWrite()
	if r := p.receive("GET"); r.Status != 102 {
		t.Fatalf("got %+v, want 102", r)
	}
	if n := s.queued(); n != 1 {
		t.Errorf("got %d in the queue, want 1", n)
	}
	g.open()
	if r := p.receive("GET"); r.Body != "/half" {
		t.Errorf("got %+v", r)
	}
}

// What changes something is carried to its end; see
// TestAppLearnsThatItsClientIsGone for what only reads.
func TestUnsafeRequestsOutliveTheirClient(t *testing.T) {
	t.Parallel()
	g := newGate()
	f := start(t, protocol.ProtocolSession, 1, g.answer)
	s := serve(t, Config{}, route(f))
	p := s.dial().send("POST /order HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
	within(t, g.came, "the call")
	p.Close()
	begin := s.clock.Now.Load()
	eventually(t, "two looks", func() bool { return s.clock.Now.Load() > begin+5*int64(lookEvery)/2 })
	if n := s.inFlight(f); n != 1 {
		t.Errorf("got %d in flight, want 1", n)
	}
	g.open()
	eventually(t, "the session ends", func() bool { return s.inFlight(f) == 0 })
}

func TestServerTimingAndTraceParent(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{ServerTiming: true, TraceParent: true}, route(start(t, proto, 1, func(c *call) bool {
			c.ok(c.header("Traceparent") + " " + c.header("X-Request-Id"))
			return true
		})))
		r := s.dial().get("/")
		trace, id, _ := strings.Cut(r.Body, " ")
		if !strings.HasPrefix(trace, "00-"+id+"-") || !strings.HasSuffix(trace, "-01") || len(trace) != 55 {
			t.Errorf("got traceparent %q of request %q", trace, id)
		}
		if got := r.Header.Get("Server-Timing"); got != "queue;dur=0.000" {
			t.Errorf("got Server-Timing %q", got)
		}
		const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
		r = s.dial().send("GET / HTTP/1.1\r\nHost: a\r\nTraceparent: " + given + "\r\n\r\n").receive("GET")
		if trace, _, _ := strings.Cut(r.Body, " "); trace != given {
			t.Errorf("got traceparent %q, want %q", trace, given)
		}
	})
}
