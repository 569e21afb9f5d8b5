package proxy

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"passenger/lib/protocol"
	"passenger/lib/proxy/wire"
)

// Over TLS and HTTP/2 too, whose clients stop by not opening their window.
func TestSlowReadersOfStreamsHoldNoProcess(t *testing.T) {
	t.Parallel()
	o := newTorrent(t, protocol.ProtocolHTTP, 2*inTransit, true)
	dir := t.TempDir()
	s, addr := serveTLS(t, Config{DataBufferDir: dir}, route(o.fake))
	over(t, addr, func(t *testing.T, c *http.Client, _ string) {
		slow, err := c.Get("https://" + addr + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer slow.Body.Close()
		eventually(t, "the process is free", func() bool { return len(o.left) == 1 && s.inFlight(o.fake) == 0 })
		<-o.left
		if kept(t, dir) == 0 {
			t.Error("nothing is kept")
		}
		r, err := c.Get("https://" + addr + "/word")
		if err != nil {
			t.Fatal(err)
		}
		if word, err := io.ReadAll(r.Body); string(word) != "word" {
			t.Errorf("meanwhile: got %q, %v", word, err)
		}
		r.Body.Close()
		if body, err := io.ReadAll(slow.Body); err != nil || digest(body) != digest(o.body) {
			t.Errorf("got %d bytes of %d, %v", len(body), len(o.body), err)
		}
		eventually(t, "nothing is left", func() bool { return kept(t, dir) == 0 && s.memory.Lent() == 0 })
	})
}

// However many are slow, what they make us hold in memory is bounded.
func TestMemoryForAnswersIsBounded(t *testing.T) {
	t.Parallel()
	const clients = 12
	for _, secure := range []bool{false, true} {
		for _, size := range []int{3 << 20, 12 << 20} {
			t.Run(fmt.Sprintf("TLS %v, %d MB", secure, size>>20), func(t *testing.T) {
				t.Parallel()
				o := newTorrent(t, protocol.ProtocolHTTP, size, false)
				s, addr := serveTLS(t, Config{DataBufferDir: t.TempDir(), mostMemory: 2 * wire.Large}, route(o.fake))
				var all [clients]*peer
				for i := range all {
					all[i] = o.ask(s.client(addr, secure))
					within(t, o.left, "the app's end")
				}
				if n := s.memory.Lent(); n > 2*wire.Large {
					t.Errorf("%d bytes are lent, want %d at most", n, 2*wire.Large)
				}
				if r := s.client(addr, secure).get("/word"); r.Body != "word" {
					t.Errorf("another client got %+v", r)
				}
				for _, p := range all {
					o.check(t, p)
				}
				eventually(t, "all is given back", func() bool { return s.memory.Lent() == 0 })
			})
		}
	}
}

// What the app flushes leaves at once, over every transport.
func TestKeepingDelaysNothing(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		next := make(chan bool)
		s, addr := serveTLS(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			for range 20 {
				<-next
				c.reply("6\r\npiece;\r\n")
			}
			c.reply("0\r\n\r\n")
			return true
		})))
		over(t, addr, func(t *testing.T, c *http.Client, _ string) {
			r, err := c.Get("https://" + addr + "/")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			for i := range 20 {
				next <- true
				var p [6]byte
				if _, err := io.ReadFull(r.Body, p[:]); string(p[:]) != "piece;" {
					t.Fatalf("piece %d: got %q, %v", i, p, err)
				}
			}
			eventually(t, "all memory is given back", func() bool { return s.memory.Lent() == 0 })
		})
	})
}
