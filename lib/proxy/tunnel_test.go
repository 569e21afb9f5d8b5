package proxy

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"passenger/lib/proxy/tunnel"
)

// endSending ends the client's sending side: of TCP, or with TLS its own.
func (p *peer) endSending() {
	p.t.Helper()
	if err := p.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		p.t.Fatal(err)
	}
}

// dialTLS is dial for the listener of serveTLS.
func dialTLS(t testing.TB, addr string) *peer {
	t.Helper()
	p := dialPeer(t, "tcp", addr)
	c := careless.Clone()
	c.NextProtos = nil
	secure := tls.Client(p.Conn, c)
	p.Conn = secure
	p.in.Reset(secure)
	return p
}

// An app that keeps its end of a tunnel, or a client that does, has the
// half-close time, whatever the read timeout is.
func TestTunnelsDoNotOutlastOneSideForLong(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, head, to string }{
		{"a WebSocket", socketHead, "websocket"},
		{"another protocol", upgradeHead, "echo"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, proto string) {
				keeps := start(t, proto, 0, func(c *call) bool {
					c.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", tt.to)
					io.Copy(io.Discard, c.In)
					<-c.Upstream.killed
					return false
				})
				ends := start(t, proto, 0, func(c *call) bool {
					c.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", tt.to)
					c.Conn.(*net.UnixConn).CloseWrite()
					io.Copy(io.Discard, c.In)
					return false
				})
				s, secure := serveTLS(t, short(func(t *Timeouts) { t.HalfClose = brief }), route(keeps))
				for _, p := range []*peer{s.dial(), dialTLS(t, secure)} {
					p.send(tt.head).endSending()
					if r, err := http.ReadResponse(p.in, nil); err != nil || r.StatusCode != 101 {
						t.Fatalf("got %v, %v", r, err)
					}
					p.closed()
				}
				s.set(route(ends))
				for _, p := range []*peer{s.dial(), dialTLS(t, secure)} {
					p.send(tt.head)
					if r, err := http.ReadResponse(p.in, nil); err != nil || r.StatusCode != 101 {
						t.Fatalf("got %v, %v", r, err)
					}
					p.closed() // the client's own end is open
				}
				eventually(t, "no session, no connection", func() bool { return s.inFlight(ends) == 0 && s.connections() == 0 })
			})
		})
	}
}

// What the app goes on saying keeps no WebSocket whose client has ended, but it
// keeps what may have a use for one direction: another protocol, and an answer
// that the app makes itself.
func TestWhatMovesAfterOneSideHasEnded(t *testing.T) {
	t.Parallel()
	talks := func(head string, tick func(*call) bool) behaviour {
		return func(c *call) bool {
			c.reply("%s", head)
			io.Copy(io.Discard, c.In) // until the client has ended
			for tick(c) {
				if _, err := c.Conn.Write([]byte("tick ")); err != nil {
					return false
				}
			}
			return false
		}
	}
	t.Run("a WebSocket", func(t *testing.T) {
		t.Parallel()
		f := start(t, "http", 0, talks("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", func(*call) bool { return true }))
		s := serve(t, short(func(t *Timeouts) { t.HalfClose = brief }), route(f))
		p := s.open(socketHead, 1)
		p.endSending()
		io.Copy(io.Discard, p.in)
		eventually(t, "no session", func() bool { return s.inFlight(f) == 0 })
	})
	for name, tt := range map[string][2]string{
		"another protocol": {upgradeHead, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"},
		"an answer":        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ticks := make(chan bool)
			s := serve(t, Config{}, route(start(t, "session", 0, talks(tt[1], func(c *call) bool {
				select {
				case tick := <-ticks:
					return tick
				case <-c.Upstream.killed:
					return false
				}
			}))))
			p := s.dial().send(tt[0])
			p.endSending()
			if _, err := http.ReadResponse(p.in, nil); err != nil {
				t.Fatal(err)
			}
			for range 6 { // three times the half-close time
				ticks <- true
				if _, err := io.ReadFull(p.in, make([]byte, len("tick "))); err != nil {
					t.Fatal(err)
				}
				s.pass(patience / 2)
			}
			ticks <- false
			if got := p.rest(); len(got) > 0 {
				t.Errorf("got %q", got)
			}
		})
	}
}

// An answer that an app makes itself may be silent for longer than the
// half-close time.
func TestSilentAnswersOutlastTheirClientsEnd(t *testing.T) {
	t.Parallel()
	f := start(t, "session", 0, func(c *call) bool {
		c.reply("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
		io.Copy(io.Discard, c.In)
		time.Sleep(4 * brief) // it would be cut off by then
		c.reply("late")
		return false
	})
	s := serve(t, short(func(t *Timeouts) { t.HalfClose = brief }), route(f))
	p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	p.endSending()
	if r := p.receive("GET"); r.Body != "late" {
		t.Errorf("got %+v", r)
	}
}

// The last words of an app that closes at once, without waiting for its client's
// close frame, arrive although the client still talks.
func TestLastWordsOfAnAppArriveWhileItsClientTalks(t *testing.T) {
	t.Parallel()
	const length = 4 << 20
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 0, func(c *call) bool {
			c.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			c.Conn.Write(append(frame(2, length, false), frame(tunnel.OpClose, 2, false)...))
			return false
		})
		s := serve(t, Config{}, route(f))
		p := s.dial().send(socketHead)
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for ping := frame(9, 100, true); ; {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := p.Write(ping); err != nil {
					return
				}
			}
		}()
		if _, err := http.ReadResponse(p.in, nil); err != nil {
			t.Fatal(err)
		}
		var got tunnel.Frames
		b := make([]byte, 16<<10)
		for !got.Closed {
			n, err := p.in.Read(b)
			got.Follow(b[:n])
			if err != nil {
				t.Fatalf("it ended before its close frame: %v", err)
			}
		}
		close(stop)
		<-done
		p.Close()
		eventually(t, "no session", func() bool { return s.inFlight(f) == 0 })
	})
}

// A client that has ended its sending side and takes little at a time is not cut
// off while something moves, though one write lasts longer than the half-close
// time.
func TestSlowReadersOutlastTheHalfCloseTime(t *testing.T) {
	t.Parallel()
	const (
		part = 8 << 20 // much more than the kernel keeps
		half = patience / 2
	)
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 0, func(c *call) bool {
			c.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			io.Copy(io.Discard, c.In)
			c.Conn.Write(make([]byte, 3*part))
			return false
		})
		s, secure := serveTLS(t, short(func(t *Timeouts) { t.HalfClose = half }), route(f))
		for _, p := range []*peer{s.dial(), dialTLS(t, secure)} {
			tcp, ok := p.Conn.(*net.TCPConn)
			if !ok {
				tcp = p.Conn.(*tls.Conn).NetConn().(*net.TCPConn)
			}
			tcp.SetReadBuffer(256 << 10)
			p.send(upgradeHead).endSending()
			if _, err := http.ReadResponse(p.in, nil); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				for range 3 { // each less than the half-close time: the proxy may be between two writes
					eventually(t, "a write waits", s.writeWaits)
					s.pass(half * 3 / 5)
				}
				if n, err := io.ReadFull(p.in, make([]byte, part)); err != nil {
					t.Fatalf("got %d bytes, then %v", n, err)
				}
			}
			if n := len(p.rest()); n != part {
				t.Errorf("got %d bytes at last, want %d", n, part)
			}
		}
	})
}
