package proxy

import (
	"fmt"
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
