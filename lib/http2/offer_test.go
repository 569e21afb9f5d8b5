package http2

import (
	"fmt"
	"strings"
	"testing"

	h2 "golang.org/x/net/http2"
)

func TestOffersAreTakenWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n"
	offered := make(chan string, 1)
	c := quick
	c.Serve = func(s *Stream) {
		var all []string
		for _, p := range []string{head, "0123456789", strings.Repeat("x", 1000), "abcdefghij"} {
			n, err := s.Offer([]byte(p))
			all = append(all, fmt.Sprint(n, err))
		}
		offered <- strings.Join(all, ", ")
		_, _ = s.Write([]byte("ABCDEFGHIJ")) // the client sees what becomes of it
	}
	p := start(t, c, h2.Setting{ID: h2.SettingInitialWindowSize, Val: uint32(len(head))})
	p.get(1)
	// The head costs nothing of the window, though it was offered only because
	// there was so much of it.
	p.expect("HEADERS(1 :status=200 content-length=30) DATA(1 0123456789) DATA(1 abcdefghij) DATA(1 ABCDEFGHIJ end)")
	if got, want := <-offered, fmt.Sprintf("%d <nil>, 10 <nil>, 0 <nil>, 10 <nil>", len(head)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
