package proxy

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"passenger/lib/protocol"
	"passenger/lib/proxy/tunnel"
)

const socketHead = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

// switchTo switches protocols, says what it is told and echoes.
func switchTo(name string, first []byte) behaviour {
	return func(c *call) bool {
		c.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n%s", name, first)
		io.Copy(c.Conn, c.In)
		return false
	}
}

// open upgrades a connection and waits until the proxy counts n.
func (s *server) open(head string, n int) *peer {
	s.t.Helper()
	p := s.dial().send(head)
	if r, err := http.ReadResponse(p.in, nil); err != nil || r.StatusCode != 101 {
		s.t.Fatalf("got %v, %v", r, err)
	}
	eventually(s.t, "upgraded connections", func() bool { return s.upgraded() == n })
	return p
}

func (s *server) upgraded() int { return s.snapshot().Apps["app"].Upgraded }

// rest is what comes until the end.
func (p *peer) rest() []byte {
	p.t.Helper()
	b, err := io.ReadAll(p.in)
	if err != nil {
		p.t.Errorf("got %q, then %v; want an end", b, err)
	}
	p.Close()
	return b
}

// leave marks the only process of the only route.
func leave(r protocol.Route) protocol.Route {
	r.Processes = append([]protocol.RouteProcess(nil), r.Processes...)
	r.Processes[0].Draining, r.Processes[0].Leaving = true, true
	return r
}

func TestUpgradedConnectionsEndWithTheirProcess(t *testing.T) {
	t.Parallel()
	hello := frame(1, 5, false)
	for _, tt := range []struct {
		name, head, to string
		sent, want     []byte
	}{
		{"a WebSocket", socketHead, "WebSocket", hello, append(bytes.Clone(hello), tunnel.GoingAway...)},
		{"one that was silent", socketHead, "websocket", nil, tunnel.GoingAway},
		{"one within a frame", socketHead, "websocket", hello[:4], hello[:4]},
		{"one that says goodbye itself", socketHead, "websocket", frame(tunnel.OpClose, 2, false), frame(tunnel.OpClose, 2, false)},
		{"another protocol", upgradeHead, "echo", []byte("hello"), []byte("hello")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, proto string) {
				f := start(t, proto, 1, switchTo(tt.to, tt.sent))
				s := serve(t, Config{}, route(f))
				p := s.open(tt.head, 1)
				if _, err := io.ReadFull(p.in, make([]byte, len(tt.sent))); err != nil {
					t.Fatal(err)
				}
				s.set(leave(route(f)))
				if got := append(bytes.Clone(tt.sent), p.rest()...); !bytes.Equal(got, tt.want) {
					t.Errorf("got %x, want %x", got, tt.want)
				}
				eventually(t, "the process's connection is closed", func() bool { return f.open.Load() == 0 })
				if r := s.snapshot(); r.Apps["app"].Upgraded != 0 || r.Apps["app"].UpgradedClosed != 1 || r.Processes[f.route.ID].InFlight != 0 {
					t.Errorf("got %+v", r)
				}
			})
		})
	}
}

// What the client sends while it is dismissed does not cost it the goodbye.
func TestBusyClientsHearTheGoodbye(t *testing.T) {
	t.Parallel()
	f := start(t, "http", 1, switchTo("websocket", nil))
	s := serve(t, Config{}, route(f))
	p := s.open(socketHead, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := p.Write(frame(2, 1000, false)); err != nil {
				return
			}
		}
	}()
	var got tunnel.Frames
	read := func() (int, error) {
		b := make([]byte, 1000)
		n, err := p.in.Read(b)
		got.Follow(b[:n])
		return n, err
	}
	for range 100 {
		if _, err := read(); err != nil {
			t.Fatal(err)
		}
	}
	s.set(leave(route(f)))
	for {
		if _, err := read(); err != nil {
			break
		}
	}
	p.Close()
	<-done
	if !got.Closed && got.Have == 0 && got.Left == 0 {
		t.Error("it ended between frames without a goodbye")
	}
}

func TestUpgradesThatComeTooLateEndAtOnce(t *testing.T) {
	t.Parallel()
	g := newGate()
	f := start(t, "http", 1, func(c *call) bool {
		g.came <- c
		<-g.pass
		return switchTo("websocket", nil)(c)
	})
	s := serve(t, Config{}, route(f))
	p := s.dial().send(socketHead)
	within(t, g.came, "the call")
	s.set(leave(route(f)))
	g.open()
	if r, err := http.ReadResponse(p.in, nil); err != nil || r.StatusCode != 101 {
		t.Fatalf("got %v, %v", r, err)
	}
	if got := p.rest(); !bytes.Equal(got, tunnel.GoingAway) {
		t.Errorf("got %x, want %x", got, tunnel.GoingAway)
	}
}

// An app may want them left; then the drain's end is theirs.
func TestUpgradedConnectionsThatAreLeft(t *testing.T) {
	t.Parallel()
	f := start(t, "http", 1, switchTo("websocket", nil))
	kept := route(f)
	kept.AbortWebSockets = new(bool)
	s := serve(t, short(func(t *Timeouts) { t.Drain = brief }), kept)
	p := s.open(socketHead, 1)
	s.set(leave(kept))
	echo := frame(1, 3, false)
	p.send(string(echo))
	if _, err := io.ReadFull(p.in, make([]byte, len(echo))); err != nil {
		t.Fatal(err)
	}
	s.cancel()
	if got := p.rest(); !bytes.Equal(got, tunnel.GoingAway) {
		t.Errorf("got %x, want %x", got, tunnel.GoingAway)
	}
	within(t, s.stopped, "the end")
}

// A proxy that stops closes them at once, and one that was replaced when its
// drain is over.
func TestUpgradedConnectionsOfAProxyThatGoes(t *testing.T) {
	t.Parallel()
	f := start(t, "http", 0, switchTo("websocket", nil))
	stopped := serve(t, Config{}, route(f))
	p := stopped.open(socketHead, 1)
	stopped.cancel()
	if got := p.rest(); !bytes.Equal(got, tunnel.GoingAway) {
		t.Errorf("stopped: got %x, want %x", got, tunnel.GoingAway)
	}
	within(t, stopped.stopped, "the end")

	old := serve(t, Config{}, route(f))
	p = old.open(socketHead, 1)
	old.end(ErrHandedOver)
	eventually(t, "the drain", func() bool { return old.healthy() != nil })
	echo := frame(1, 3, false)
	p.send(string(echo))
	if _, err := io.ReadFull(p.in, make([]byte, len(echo))); err != nil {
		t.Errorf("handed over: %v", err)
	}
	old.cutOff() // as at the drain's end
	if got := p.rest(); !bytes.Equal(got, tunnel.GoingAway) {
		t.Errorf("handed over: got %x, want %x", got, tunnel.GoingAway)
	}
	within(t, old.stopped, "the end")
}
