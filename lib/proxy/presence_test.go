package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"passenger/lib/proxy/balance"
)

// introduced is a client behind a PROXY header, which 127.0.0.2 is trusted to
// send.
func (s *server) introduced() *peer {
	s.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	c, err := d.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	p := &peer{Conn: c, t: s.t, in: bufio.NewReader(c)}
	return p.send("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
}

// A client that only ended its sending side gets its answer, however late it
// comes and whatever comes late of it: RFC 9112, 9.6.
func TestHalfClosedClientsAreAnswered(t *testing.T) {
	t.Parallel()
	const chunks = "5\r\nhello\r\n01\r\n!\r\n0\r\n\r\n" // asked for once in between
	for name, tt := range map[string]struct {
		head, want string
		dial       func(s *server, secure string) *peer
	}{
		"plain":      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", chunks, func(s *server, _ string) *peer { return s.dial() }},
		"HTTP 1.0":   {"GET / HTTP/1.0\r\n\r\n", "hello!", func(s *server, _ string) *peer { return s.dial() }},
		"introduced": {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", chunks, func(s *server, _ string) *peer { return s.introduced() }},
		"TLS":        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", chunks, func(s *server, secure string) *peer { return dialTLS(s.t, secure) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, proto string) {
				g := newGate()
				f := start(t, proto, 0, func(c *call) bool {
					ended := make(chan bool, 1)
					go func() { c.In.Peek(1); ended <- true }()
					g.came <- c
					<-g.pass
					c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
					g.came <- c
					<-g.pass
					select {
					case <-ended:
						t.Error("the app was told that its client is gone")
					default:
					}
					c.reply("1\r\n!\r\n0\r\n\r\n")
					return false
				})
				config := trust(t, "127.0.0.2")
				config.ProxyHeader = true
				s, secure := serveTLS(t, config, route(f))
				p := tt.dial(s, secure).send(tt.head)
				below := p.Conn
				if c, ok := below.(*tls.Conn); ok {
					below = c.NetConn()
				}
				below.(*net.TCPConn).CloseWrite()
				for range 2 {
					within(t, g.came, "the app is there")
					begin := s.clock.Now.Load()
					eventually(t, "two looks", func() bool { return s.clock.Now.Load() > begin+5*int64(lookEvery)/2 })
					g.pass <- true
				}
				text, err := io.ReadAll(p.in)
				rest := strings.ReplaceAll(string(text), string(balance.Processing), "")
				head, body, _ := strings.Cut(rest, "\r\n\r\n")
				if err != nil || !strings.HasPrefix(head, "HTTP/1.1 200") || body != tt.want {
					t.Errorf("got %q, then %q, %v; want %q", head, body, err, tt.want)
				}
			})
		})
	}
}

// A client that is gone costs its process no more than some seconds, before its
// answer and in the midst of it, and though the app has nothing to write.
func TestClientsThatCloseAreMissed(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		came, left := make(chan bool, 2), make(chan bool, 2)
		f := start(t, proto, 0, func(c *call) bool {
			if c.Target == "/begun" {
				c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
			}
			came <- true
			io.Copy(io.Discard, c.In)
			left <- true
			return false
		})
		s, secure := serveTLS(t, Config{}, route(f))
		for _, path := range []string{"/waits", "/begun"} {
			for name, p := range map[string]*peer{"plain": s.dial(), "TLS": dialTLS(t, secure)} {
				p.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
				within(t, came, "the call")
				if path == "/begun" {
					if _, err := p.in.ReadString('o'); err != nil {
						t.Fatal(err)
					}
					p.in.ReadString('\n') // what is unread would make its close a reset
				}
				p.Close()
				within(t, left, "the app sees the end: "+name+path)
			}
		}
	})
}

// A client of HTTP/1.0 has its answer foretold by its first bytes while it waits,
// since it knows no interim response: one that closed its connection leaves the
// queue, and one that only ended its sending side gets its answer whole.
func TestOldClientsAreAskedInTheQueue(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		g := newGate()
		s, secure := serveTLS(t, Config{}, route(start(t, proto, 1, g.answer)))
		first := s.dial().send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
		within(t, g.came, "the first call")
		for name, dial := range map[string]func() *peer{
			"plain": func() *peer { return s.dial() }, "TLS": func() *peer { return dialTLS(t, secure) },
		} {
			p := dial().send("GET /left HTTP/1.0\r\n\r\n")
			eventually(t, name+": it waits", func() bool { return s.queued() == 1 })
			p.Close()
			eventually(t, name+": it has left", func() bool { return s.queued() == 0 })
		}
		p := s.dial().send("GET /waits HTTP/1.0\r\n\r\n")
		p.Conn.(*net.TCPConn).CloseWrite()
		if b, err := p.in.Peek(1); err != nil || b[0] != 'H' {
			t.Errorf("got %q, %v; want the first byte of an answer", b, err)
		}
		if n := s.queued(); n != 1 {
			t.Errorf("%d requests wait, want 1", n)
		}
		g.open()
		if r := p.receive("GET"); r.Status != 200 || r.Body != "/waits" {
			t.Errorf("got %+v", r)
		}
		if r := first.receive("GET"); r.Body != "/first" {
			t.Errorf("got %+v", r)
		}
	})
}
