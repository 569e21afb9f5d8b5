package proxy

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"passenger/lib/protocol"
)

// The order in which waiters are served, on a clock that the table moves.
func TestOrderOfTheQueue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		does string // letters come; "+" is 100 ms, "R" before one that it had a process, and "." serves
		want string
	}{
		{"health: the oldest first", "abc...", "abc"},
		{"health up to 200 ms", "a++bc...", "abc"},
		{"stale: the newest first", "a+++bc...", "cba"},
		{"it is the oldest that counts", "a+b++c.", "c"},
		{"what comes later is newer still", "a+++b.c.d..", "bcda"},
		{"health again once the old ones are gone", "a+++b..cd..", "bacd"},
		{"who had a process is first in health", "abRc...", "cab"},
		{"and when it is stale", "a+++bRc...", "cba"},
		{"and does not make it stale", "Ra+++bc...", "abc"},
		{"one alone", "a+++++++.", "a"},
		{"nobody", ".", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var q queue
				names := map[*waiter]string{}
				var got strings.Builder
				retried := false
				for _, c := range tt.does {
					switch c {
					case '+':
						time.Sleep(100 * time.Millisecond)
					case 'R':
						retried = true
					case '.':
						q.serve(func(w *waiter) bool {
							q.remove(w)
							got.WriteString(names[w])
							return true
						})
					default:
						w := &waiter{began: time.Now(), retried: retried}
						names[w], retried = string(c), false
						q.add(w)
					}
				}
				if got.String() != tt.want {
					t.Errorf("%s: served %q, want %q", tt.does, &got, tt.want)
				}
			})
		})
	}
}

// Who waits for a process of its own keeps nobody from another, whichever way
// round they are served.
func TestServingPassesOverThoseWithoutUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q queue
		for i := range 4 {
			q.add(&waiter{began: time.Now(), wanted: []byte(fmt.Sprint(i))})
		}
		order := func() (s string) {
			q.serve(func(w *waiter) bool { s += string(w.wanted); return false })
			return s
		}
		if s := order(); s != "0123" {
			t.Errorf("in health: %s", s)
		}
		time.Sleep(time.Second)
		if s := order(); s != "3210" {
			t.Errorf("when it is stale: %s", s)
		}
	})
}

// A queue without a bound of its own is bounded by what there is room for. Then
// the oldest goes.
func TestFullOpenQueueSendsTheOldestAway(t *testing.T) {
	t.Parallel()
	g := newGate()
	r := route(start(t, "session", 1, g.answer))
	r.QueueSize, r.QueueOpen = 1, true
	s := serve(t, Config{}, r)
	s.allApps()[0].room = func(int) int { return 3 }
	var peers []*peer
	for i := range 6 { // one is served, three wait, two more come
		peers = append(peers, s.dial().send(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i)))
		if i == 0 {
			within(t, g.came, "the call")
		}
		eventually(t, "its place", func() bool {
			return s.queued() == min(i, 3) && s.snapshot().Apps["app"].Rejected == uint64(max(i-3, 0))
		})
	}
	for _, p := range peers[1:3] {
		if got := p.receive("GET"); got.Status != 503 || got.Header.Get("Retry-After") == "" || got.Close {
			t.Errorf("got %+v", got)
		}
	}
	g.open()
	for _, p := range []*peer{peers[0], peers[3], peers[4], peers[5]} {
		if got := p.receive("GET"); got.Status != 200 {
			t.Errorf("got %+v", got)
		}
	}
}

// Apps that stand still leave room to those that wait for others, whoever came
// first.
func TestQueuesLeaveRoomToOthers(t *testing.T) {
	t.Parallel()
	g := newGate()
	var routes []protocol.Route
	for _, base := range []string{"/a", "/b", "/c"} {
		r := route(start(t, "http", 1, g.answer))
		r.App, r.BaseURI, r.QueueOpen = base[1:], base, true
		routes = append(routes, r)
	}
	const all, each = 40, 60
	s := serve(t, Config{mostWaiting: all}, routes...)
	for _, r := range routes {
		for range each {
			s.dial().send("GET " + r.BaseURI + " HTTP/1.1\r\nHost: a\r\n\r\n")
		}
		eventually(t, "all that came", func() bool {
			a := s.snapshot().Apps[r.App]
			return a.Queued+int(a.Rejected) == each-1
		})
	}
	apps := s.snapshot().Apps
	if a, b, c := apps["a"].Queued, apps["b"].Queued, apps["c"].Queued; a != all/2 || b != all/4 || c != all/8 {
		t.Errorf("got %d, %d and %d in the queues of %d places", a, b, c, all)
	}
	g.open()
	eventually(t, "nobody waits", func() bool { return s.waiting.Load() == 0 })
}
