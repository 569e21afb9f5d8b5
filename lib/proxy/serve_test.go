package proxy

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"passenger/lib/protocol"
)

// A queue without a bound of its own is bounded by what there is room for. Then
// the oldest goes.
func TestFullOpenQueueSendsTheOldestAway(t *testing.T) {
	t.Parallel()
	g := newGate()
	r := route(start(t, "session", 1, g.answer))
	r.QueueSize, r.QueueOpen = 1, true
	s := serve(t, Config{mostWaiting: 6}, r) // half of that for one app
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

// Nobody keeps others out of a queue: one address holds at most half of it while
// others wait. Behind a trusted proxy that is the client's that it names; over
// HTTP/2 each stream counts; what a client says of itself does not.
func TestOneAddressHoldsHalfOfAQueueAtMost(t *testing.T) {
	t.Parallel()
	const places = 8
	for _, tt := range []struct {
		name, trusted, fields string
		http2                 bool
		refused               uint64 // of so many as there are places, while one other waits
	}{
		{"its own", "10.0.0.0/8", "", false, places / 2},
		{"its own, not what it says", "10.0.0.0/8", "X-Forwarded-For: 192.0.2.%d\r\n", false, places / 2},
		{"named by a proxy", "127.0.0.0/8", "X-Forwarded-For: 192.0.2.%d, 192.0.2.1\r\n", false, places / 2},
		{"several named", "127.0.0.0/8", "X-Forwarded-For: 192.0.2.%d\r\n", false, 1},
		{"named in one network", "127.0.0.0/8", "X-Forwarded-For: 2001:db8::%d\r\n", false, places / 2},
		{"not named by a proxy", "127.0.0.0/8", "", false, 1},
		{"streams", "10.0.0.0/8", "", true, places / 2},
		{"streams of a proxy", "127.0.0.0/8", "X-Forwarded-For: 192.0.2.%d\r\n", true, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGate()
			r := route(start(t, "session", 1, g.answer))
			r.QueueOpen = true
			config := trust(t, tt.trusted)
			config.mostWaiting = 2 * places
			s, secure := serveTLS(t, config, r)
			s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			within(t, g.came, "the call")
			elsewhere := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
			c, err := elsewhere.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			eventually(t, "another waits", func() bool { return s.queued() == 1 })
			var framed *framed
			if tt.http2 {
				framed = dialFramed(t, secure)
			}
			for i := range places {
				fields := strings.Replace(tt.fields, "%d", fmt.Sprint(i+10), 1)
				if tt.http2 {
					var more []string
					if fields != "" {
						more = append(more, strings.ToLower(strings.TrimSpace(fields)))
					}
					framed.must(framed.ask(uint32(2*i+1), true, headerFields("GET", more...)...))
				} else {
					s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n")
				}
			}
			eventually(t, "all have come", func() bool {
				a := s.snapshot().Apps["app"]
				return a.Queued+int(a.Rejected) == 1+places
			})
			if n := s.snapshot().Apps["app"].Rejected; n != tt.refused {
				t.Errorf("%d were refused, want %d", n, tt.refused)
			}
			g.open()
		})
	}
}
