package proxy

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	h2 "golang.org/x/net/http2"

	"passenger/lib/control"
	"passenger/lib/protocol"
)

// While the proxy leaves it serves whoever comes, and asks everybody to go.
func TestClientsAreServedWhileTheProxyLeaves(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		timeouts := quick
		timeouts.Leave = patience
		s := serve(t, Config{Timeouts: timeouts}, route(start(t, proto, 1, say("ok"))))
		kept := s.dial()
		if r := kept.get("/"); r.Status != 200 || r.Close {
			t.Errorf("before: got %+v", r)
		}
		s.cancel()
		eventually(t, "it leaves", func() bool { return s.Standing().Leaving })
		if s.healthy() == nil {
			t.Error("it calls itself healthy")
		}
		for range 3 {
			late := s.dial()
			if r := late.get("/"); r.Status != 200 || !r.Close {
				t.Errorf("late: got %+v", r)
			}
			late.closed()
		}
		if r := kept.get("/"); r.Status != 200 || !r.Close {
			t.Errorf("kept: got %+v", r)
		}
		kept.closed()
		s.hurry()
		within(t, s.stopped, "the end")
	})
}

func TestStreamsAreServedWhileTheProxyLeaves(t *testing.T) {
	t.Parallel()
	timeouts := quick
	timeouts.Leave = patience
	s, addr := serveTLS(t, Config{Timeouts: timeouts}, route(start(t, protocol.ProtocolHTTP, 0, say("ok"))))
	early := dialFramed(t, addr)
	early.must(early.ask(1, true, headerFields("GET")...))
	if status, _, _ := early.answer(1, false); status != "200" {
		t.Errorf("early: got %s", status)
	}
	s.cancel()
	eventually(t, "it leaves", func() bool { return s.Standing().Leaving })
	early.goesAway()
	for range 3 {
		late := dialFramed(t, addr)
		late.settles()
		late.must(late.ask(1, true, headerFields("GET")...))
		if status, body, end := late.answer(1, false); status != "200" || body != "ok" || end != "end" {
			t.Errorf("late: got %s, %q, %s", status, body, end)
		}
	}
	s.hurry()
	within(t, s.stopped, "the end")
}

// goesAway reads until the server has asked for no more streams.
func (f *framed) goesAway() {
	f.t.Helper()
	for {
		frame, err := f.ReadFrame()
		f.must(err)
		if g, ok := frame.(*h2.GoAwayFrame); ok && g.ErrCode == h2.ErrCodeNo {
			return
		}
	}
}

// An order to drain may name its own delay, and one of 0 ends a delay.
func TestDrainsTakeADelay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body, cause string
		hurries     bool
	}{
		{"", "a drain was ordered", false},
		{`{"delay_seconds": 3600}`, "a drain was ordered", false},
		{`{"delay_seconds": 0}`, "a drain was ordered", true},
		{`{"delay_seconds": -1}`, "", false},
		{`{"delay_seconds": 3601}`, "", false},
		{`{"delay_seconds": 1e300}`, "", false},
	} {
		p := New(Config{Timeouts: quick})
		p.Timeouts.Leave = patience
		var got error
		for _, call := range p.table(func(cause error) { got = cause }) {
			if call.Path != protocol.PathDrain {
				continue
			}
			_, err := call.Handler(&control.Request{Method: "POST", Body: strings.NewReader(c.body), ContentLength: int64(len(c.body))})
			if (err == nil) != (c.cause != "") || err != nil && strings.Contains(err.Error(), "2562047h") {
				t.Errorf("%s: got %v", c.body, err)
			}
		}
		if text := fmt.Sprint(got); text != cmp.Or(c.cause, "<nil>") {
			t.Errorf("%s: got %q, want %q", c.body, text, c.cause)
		}
		if c.hurries {
			eventually(t, "it hurries", func() bool { return len(p.hurried) == 1 })
		} else if len(p.hurried) != 0 {
			t.Errorf("%s: hurries", c.body)
		}
	}
}

// Of several orders the one counts whose delay ends first.
func TestTheSoonestDrainCounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		orders []string // a second apart
		ends   time.Duration
	}{
		{nil, time.Hour},
		{[]string{"20"}, 21 * time.Second},
		{[]string{"40", "20"}, 22 * time.Second},
		{[]string{"20", "40"}, 21 * time.Second},
		{[]string{"40", "0", "20"}, 2 * time.Second},
		{[]string{"3600"}, time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := New(Config{Timeouts: quick})
			began := time.Now()
			ended := make(chan time.Duration)
			go func() {
				p.leave(departure{time.Hour})
				ended <- time.Since(began)
			}()
			for _, delay := range c.orders {
				time.Sleep(time.Second)
				body := `{"delay_seconds": ` + delay + `}`
				if _, err := p.leaveOf(&control.Request{Method: "POST", Body: strings.NewReader(body), ContentLength: int64(len(body))}); err != nil {
					t.Errorf("%v: %v", c.orders, err)
				}
			}
			if got := <-ended; got != c.ends {
				t.Errorf("%v: the delay ended after %v, want %v", c.orders, got, c.ends)
			}
		})
	}
}

// settles reads until the server has answered a ping, and until then has not sent
// the client away, which has asked for nothing yet.
func (f *framed) settles() {
	f.t.Helper()
	f.must(f.WritePing(false, [8]byte{1}))
	for {
		frame, err := f.ReadFrame()
		f.must(err)
		switch frame := frame.(type) {
		case *h2.GoAwayFrame:
			f.t.Fatal("it is sent away before its first request")
		case *h2.PingFrame:
			if frame.IsAck() {
				return
			}
		}
	}
}
