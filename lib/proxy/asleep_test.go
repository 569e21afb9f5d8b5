package proxy

import (
	"io"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/tunnel"
	"passenger/lib/proxy/wire"
)

// echo sends text and expects it back.
func (p *peer) echo(text string) {
	p.t.Helper()
	b := make([]byte, len(text))
	if _, err := io.ReadFull(p.send(text).in, b); err != nil || string(b) != text {
		p.t.Fatalf("got %q, %v; want %q", b, err, text)
	}
}

// opened sends head and reads the answer's.
func (p *peer) opened(head string) *peer {
	p.t.Helper()
	p.send(head)
	for {
		line, err := p.in.ReadString('\n')
		if err != nil {
			p.t.Fatal(err)
		}
		if line == "\r\n" {
			return p
		}
	}
}

// A client whose tunnel is quiet sleeps, and misses nothing.
func TestQuietTunnelsSleep(t *testing.T) {
	t.Parallel()
	f := start(t, "session", 1, switchTo("websocket", nil))
	plainAndTLS(t, Config{idlePatience: time.Millisecond}, []protocol.Route{route(f)}, func(t *testing.T, s *server, dial func() *peer) {
		p := dial().opened(socketHead)
		for range 3 {
			s.awaitParked(1)
			p.echo("hello")
		}
		s.awaitParked(1)
		p.endSending()
		p.closed()
		eventually(t, "no connection", func() bool { return s.connections() == 0 })
	})
}

// What ends a tunnel ends one whose client sleeps.
func TestSleepingTunnelsEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		end  func(s *server, f *fake, p *peer)
		want string
	}{
		{"silence", func(s *server, _ *fake, _ *peer) { s.pass(2 * time.Minute) }, ""},
		{"the client goes", func(_ *server, _ *fake, p *peer) { p.endSending() }, ""},
		{"the process ends", func(_ *server, f *fake, _ *peer) { f.kill() }, ""},
		{"the process leaves", func(s *server, f *fake, _ *peer) { s.set(leave(route(f))) }, string(tunnel.GoingAway)},
		{"the proxy ends", func(s *server, _ *fake, _ *peer) { s.Timeouts.Drain = 0; s.cancel() }, string(tunnel.GoingAway)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := start(t, "session", 1, switchTo("websocket", nil))
			s := serve(t, Config{idlePatience: time.Millisecond}, route(f))
			p := s.open(socketHead, 1)
			s.awaitParked(1)
			tt.end(s, f, p)
			if got := string(p.rest()); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			eventually(t, "no connection", func() bool { return s.connections() == 0 && f.open.Load() == 0 })
		})
	}
}

// What a process says is a sign of life for a client that sleeps, too, and what a
// client says for a tunnel that would be over.
func TestSleepersAreJudgedByBothSides(t *testing.T) {
	t.Parallel()
	speak := make(chan string)
	f := start(t, "session", 1, func(c *call) bool {
		c.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		for text := range speak {
			c.reply("%s", text)
		}
		return false
	})
	s := serve(t, Config{idlePatience: time.Millisecond}, route(f))
	p := s.open(socketHead, 1)
	for range 4 { // each time two thirds of the read timeout
		s.awaitParked(1)
		s.pass(40 * time.Second)
		speak <- "tick"
		if _, err := io.ReadFull(p.in, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
	}
	s.awaitParked(1)
	var ends int64
	s.clock.Each(func(c *wire.Conn) {
		if clientOf(c) != nil {
			ends = c.WaitsUntil()
		}
	})
	if ends < s.clock.Now.Load()+int64(50*time.Second) {
		t.Error("the client would not have the whole read timeout from the last tick on")
	}
	close(speak)
	p.closed()
}
