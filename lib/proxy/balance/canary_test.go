package balance

import (
	"net/netip"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/wire"
)

// canaryApp is an app with these processes, each with its generation, of which 3 is
// a canary with the share.
func canaryApp(share float64, concurrency int, processes map[string]int) *App {
	a := New("app", func() {}, nil, nil)
	r := protocol.Route{Canary: &protocol.Canary{Generation: 3, Share: share}}
	for _, id := range []string{"a", "b", "c"} {
		if g := processes[id]; g != 0 {
			r.Processes = append(r.Processes, protocol.RouteProcess{ID: id, Concurrency: concurrency, Generation: g})
		}
	}
	a.Apply(&r, func(*protocol.RouteProcess) *files.Sendfile { return nil })
	return a
}

// ask makes a request that ends at once, with a cookie if it is not empty, and says
// which generation answered.
func ask(t *testing.T, a *App, w *Waiter, cookie string) int {
	t.Helper()
	w.Begin(false)
	w.Canary = []byte(cookie)
	p, _, err := a.Acquire(w, false)
	if err != nil {
		t.Fatal(err)
	}
	a.Release(p, nil, 1, 0, Fine)
	return p.generation
}

func anyone() *Waiter {
	return newWaiter(wire.NewClock(time.Second, nil), &presence{}, netip.Addr{})
}

func TestCanaryGetsItsShare(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		share float64
		of    int
		want  int
	}{{0.125, 80, 10}, {0.5, 80, 40}, {0.75, 80, 60}} {
		a, w := canaryApp(tt.share, 0, map[string]int{"a": 2, "b": 2, "c": 3}), anyone()
		got := 0
		for range tt.of {
			if ask(t, a, w, "") == 3 {
				got++
			}
		}
		if got != tt.want {
			t.Errorf("share %v: the canary got %d of %d requests, want %d", tt.share, got, tt.of, tt.want)
		}
	}
}

func TestClientsKeepTheirGeneration(t *testing.T) {
	t.Parallel()
	a, w := canaryApp(0.5, 0, map[string]int{"a": 2, "c": 3}), anyone()
	route := protocol.Route{Canary: &protocol.Canary{Generation: 3, Sticky: true}}
	line := NewCanaryCookie(&route, "/shop")
	for _, p := range a.processes {
		cookie := sideCookies(3)[sideOf(p, 3)-ofCanary]
		if got, want := string(line.AppendTo(nil, p)), "Set-Cookie: _passenger_canary="+cookie+"; Path=/shop; SameSite=Lax; Secure;\r\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		for range 10 {
			if got := ask(t, a, w, cookie); got != p.generation {
				t.Errorf("a client of generation %d got %d", p.generation, got)
			}
		}
	}
	route.Canary.Sticky = false
	if line := NewCanaryCookie(&route, ""); line.Name != nil {
		t.Error("clients get cookies that no one asked for")
	}
	canaries := 0
	for range 10 { // the cookie is of another canary
		if ask(t, a, w, sideCookies(2)[0]) == 3 {
			canaries++
		}
	}
	if canaries != 5 {
		t.Errorf("the canary got %d of 10 requests with another's cookie", canaries)
	}
}

func TestNoRequestFailsForACanary(t *testing.T) {
	t.Parallel()
	mine, others := sideCookies(3)[0], sideCookies(3)[1]
	for _, tt := range []struct {
		name      string
		processes map[string]int
		busy      int // generation whose processes have a request each
		cookie    string
		want      int
	}{
		{"the canary is busy", map[string]int{"a": 2, "c": 3}, 3, mine, 2},
		{"the canary is gone", map[string]int{"a": 2}, 0, mine, 2},
		{"the others are gone", map[string]int{"c": 3}, 0, others, 3},
	} {
		a := canaryApp(0.5, 1, tt.processes)
		for _, p := range a.processes {
			if p.generation == tt.busy {
				p.inFlight = 1
			}
		}
		if got := ask(t, a, anyone(), tt.cookie); got != tt.want {
			t.Errorf("%s: got generation %d, want %d", tt.name, got, tt.want)
		}
	}
}

// Those that have to wait for the others do not hold up a client of the canary.
func TestClientsOfACanaryPassThoseThatWait(t *testing.T) {
	t.Parallel()
	a := canaryApp(0.5, 1, map[string]int{"a": 2, "c": 3})
	a.size = 5
	for _, p := range a.processes {
		p.inFlight = 1
	}
	first, second := anyone(), anyone()
	for _, w := range []*Waiter{first, second} {
		w.Begin(false)
	}
	first.Canary, second.Canary = []byte(sideCookies(3)[1]), []byte(sideCookies(3)[0])
	a.mu.Lock()
	for _, w := range []*Waiter{first, second} {
		if a.pickFor(w) != nil {
			t.Fatal("a busy process was picked")
		}
		a.queue.add(w)
	}
	a.processes[1].inFlight = 0
	p := (*Process)(nil)
	next := a.queue.next(func(w *Waiter) bool { p = a.pickFor(w); return p != nil })
	a.mu.Unlock()
	if next != second || p == nil || p.generation != 3 {
		t.Errorf("got %v, want the second request on the canary", p)
	}
}
