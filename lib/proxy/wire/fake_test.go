package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

const (
	tick = 2 * time.Millisecond

	// short is a wait that a test has end, and long one that it must not.
	short = 20 * time.Millisecond
	long  = time.Minute
)

// A hidden connection has no descriptor of its own, as a layer of TLS has none.
type hidden struct{ net.Conn }

func (h hidden) NetConn() net.Conn { return h.Conn }

func (h hidden) CloseWrite() error { return h.Conn.(*net.TCPConn).CloseWrite() }

// pair returns a connection over TCP, and its peer.
func pair(t *testing.T) (ours, peer *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); nc.Close() })
	return nc.(*net.TCPConn), p.(*net.TCPConn)
}

// newClock returns a clock that runs until the test is over.
func newClock(t *testing.T) *Clock {
	k := NewClock(tick, func(int64) {})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); k.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return k
}

// each runs test with a connection of each transport.
func each(t *testing.T, test func(t *testing.T, c *Conn, peer *net.TCPConn)) {
	for name, open := range map[string]func(c *Conn, nc *net.TCPConn, k *Clock) error{
		"socket": func(c *Conn, nc *net.TCPConn, k *Clock) error { return c.Open(nc, k) },
		"stream": func(c *Conn, nc *net.TCPConn, k *Clock) error { c.OpenStream(hidden{nc}, k); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nc, peer := pair(t)
			c := &Conn{ReadWait: long, WriteWait: long}
			if err := open(c, nc, newClock(t)); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			if (c.Socket() != nil) != (name == "socket") {
				t.Error("it is of the other transport")
			}
			test(t, c, peer)
		})
	}
}

// say has the peer send text.
func say(t *testing.T, peer net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(peer, text); err != nil {
		t.Fatal(err)
	}
}

// hear returns what c reads next.
func hear(t *testing.T, c *Conn) string {
	t.Helper()
	var b [64]byte
	n, err := c.Read(b[:])
	if err != nil {
		t.Fatalf("got %v, want bytes", err)
	}
	return string(b[:n])
}

// fails is an error unless err is want.
func fails(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// eventually waits until f holds.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(long / 2); !f(); time.Sleep(tick) {
		if time.Now().After(end) {
			t.Fatal("not in time: ", what)
		}
	}
}
