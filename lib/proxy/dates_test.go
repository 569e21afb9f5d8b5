package proxy

import (
	"net/http"
	"testing"
	"time"

	"passenger/lib/protocol"
)

// The Date is that of the answer: caches count its age from there.
func TestSlowAnswersHaveTheirOwnDate(t *testing.T) {
	t.Parallel()
	g := newGate()
	r := route(start(t, protocol.ProtocolSession, 1, g.answer))
	r.QueueTime = 1.5
	s := serve(t, Config{}, r)
	slow := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	within(t, g.came, "the call")
	queued := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	asked := time.Now().Truncate(time.Second)
	late := queued.receive("GET") // after more than a second
	g.open()
	for _, got := range []reply{late, slow.receive("GET")} {
		date, err := http.ParseTime(got.Header.Get("Date"))
		if err != nil || !date.After(asked) {
			t.Errorf("status %d: asked at %v, got Date %v, %v", got.Status, asked, date, err)
		}
	}
}
