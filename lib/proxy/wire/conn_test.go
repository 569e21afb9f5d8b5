package wire

import (
	"bytes"
	"io"
	"net"
	"testing"
)

func TestReadsWhatCameAndThenTheEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *Conn, peer *net.TCPConn) {
		say(t, peer, "hello")
		if got := hear(t, c); got != "hello" {
			t.Errorf("got %q", got)
		}
		say(t, peer, "again")
		b, n, err := c.ReadLazily(Small)
		if err != nil || string(b.B[:n]) != "again" || len(b.B) != Small {
			t.Fatalf("got %d bytes, %v", n, err)
		}
		b.Free()
		peer.CloseWrite()
		if b, _, err := c.ReadLazily(Medium); b != nil || err != io.EOF {
			t.Errorf("got a buffer: %t, and %v; want the end alone", b != nil, err)
		}
		_, err = c.Read(make([]byte, 1))
		fails(t, "at the end", err, io.EOF)
	})
}

func TestWritesBothPartsInOrder(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *Conn, peer *net.TCPConn) {
		var want []byte
		for _, size := range [][2]int{{3, 0}, {0, 3}, {3, 3}, {100, 300 << 10}, {300 << 10, 100}, {streamPiece, 1}, {0, 0}} {
			want = append(want, bytes.Repeat([]byte{'a'}, size[0])...)
			want = append(want, bytes.Repeat([]byte{'b'}, size[1])...)
		}
		got := make(chan []byte, 1)
		go func() {
			all, _ := io.ReadAll(peer)
			got <- all
		}()
		for rest := want; len(rest) > 0; {
			a := len(rest) - len(bytes.TrimLeft(rest, "a"))
			b := len(rest[a:]) - len(bytes.TrimLeft(rest[a:], "b"))
			if n, err := c.WriteBoth(rest[:a], rest[a:a+b]); err != nil || n != a+b {
				t.Fatalf("wrote %d of %d: %v", n, a+b, err)
			}
			rest = rest[a+b:]
		}
		c.CloseWrite()
		if all := <-got; !bytes.Equal(all, want) || c.Sent != int64(len(want)) {
			t.Errorf("the peer got %d bytes and %d were counted, want the %d that were written", len(all), c.Sent, len(want))
		}
	})
}

// A peer that ended its sending side and one that is gone are told apart,
// without a byte being read.
func TestGone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *Conn, peer *net.TCPConn) {
		gone := func(wantEnd, wantBroken bool) func() bool {
			return func() bool {
				end, broken := c.Gone()
				return broken == wantBroken && (end == wantEnd || broken)
			}
		}
		if !gone(false, false)() {
			t.Error("a peer that is there was called gone")
		}
		peer.CloseWrite()
		eventually(t, "the end is seen", gone(true, false))
		if !c.Say([]byte("still there?")) {
			t.Error("a peer that only ended its sending side was not told a word")
		}
		peer.SetLinger(0)
		peer.Close()
		eventually(t, "the reset is seen", gone(true, true))
		eventually(t, "a word is refused", func() bool { return !c.Say([]byte("!")) })
	})
}

func TestSayDoesNotWait(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *Conn, peer *net.TCPConn) {
		fill(t, c)
		if !c.Say([]byte("!")) {
			t.Error("a peer that reads nothing for a while was called gone")
		}
	})
}

// What was foretold is left out of what is written then, however that is divided.
func TestForetold(t *testing.T) {
	t.Parallel()
	const line = "HTTP/1.1 "
	each(t, func(t *testing.T, c *Conn, peer *net.TCPConn) {
		for _, tt := range []struct {
			times    int
			p, p2    string
			then     string
			wantSaid string
		}{
			{0, line + "200", "", "", ""},
			{1, line + "200", " OK", "", "H"},
			{4, "HT", "TP/1.1 200", "", "HTTP"},
			{4, "HT", "", "TP/1.1 200", "HTTP"},
			{20, line + "200", "", "", line},
		} {
			before := c.Sent
			for range tt.times {
				if !c.Foretell([]byte(line)) {
					t.Error("the peer was called gone")
				}
			}
			got := make([]byte, len(tt.wantSaid))
			if _, err := io.ReadFull(peer, got); err != nil || string(got) != tt.wantSaid {
				t.Errorf("foretold %d times: got %q, %v, want %q", tt.times, got, err, tt.wantSaid)
			}
			for _, parts := range [][2]string{{tt.p, tt.p2}, {tt.then, ""}} {
				if n, err := c.WriteBoth([]byte(parts[0]), []byte(parts[1])); err != nil || n != len(parts[0])+len(parts[1]) {
					t.Errorf("wrote %d of %q: %v", n, parts, err)
				}
			}
			all := tt.p + tt.p2 + tt.then
			rest := make([]byte, len(all)-len(got))
			if _, err := io.ReadFull(peer, rest); err != nil || string(got)+string(rest) != all || c.Sent-before != int64(len(all)) {
				t.Errorf("got %q and then %q, %v, want %q; %d bytes were counted", got, rest, err, all, c.Sent-before)
			}
		}
	})
}

// fill writes until the peer, which reads nothing, takes no more for a while.
func fill(t *testing.T, c *Conn) {
	t.Helper()
	c.WriteWait = short
	_, err := c.WriteBoth(make([]byte, 64<<20), nil)
	fails(t, "a write that fills the buffers", err, ErrTimeout)
	c.RearmWrite()
	c.WriteWait = long
}

func TestResetIsNoEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *Conn, peer *net.TCPConn) {
		c.Reset()
		if _, err := peer.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("the peer saw %v, want a reset", err)
		}
		c.Close() // again
	})
}
