package wire

import (
	"bytes"
	"io"
	"net"
	"testing"
)

func caller(t *testing.T) (*Caller, *net.TCPConn) {
	t.Helper()
	nc, peer := pair(t)
	u := &Caller{}
	u.ReadWait, u.WriteWait = long, long
	if err := u.OpenCaller(nc, newClock(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u, peer
}

// A connection on which something came unasked, or that has ended, carries no
// further request.
func TestQuiet(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(t *testing.T, peer *net.TCPConn){
		"bytes": func(t *testing.T, peer *net.TCPConn) { say(t, peer, "HTTP/1.1 200 OK\r\n\r\n") },
		"end":   func(t *testing.T, peer *net.TCPConn) { peer.CloseWrite() },
		"reset": func(t *testing.T, peer *net.TCPConn) { peer.SetLinger(0); peer.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, peer := caller(t)
			if !u.Quiet() {
				t.Error("it is not quiet at first")
			}
			do(t, peer)
			eventually(t, "it is not quiet any more", func() bool { return !u.Quiet() })
		})
	}
}

func TestAskWaitsForTheAnswer(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 100, 32 << 20} {
		u, peer := caller(t)
		head, body := []byte("head"), bytes.Repeat([]byte{'b'}, size)
		got := make(chan []byte, 1)
		go func() {
			all := make([]byte, len(head)+size)
			n, _ := io.ReadFull(peer, all)
			got <- all[:n]
			io.WriteString(peer, "answer")
		}()
		sent, late, err := u.Ask(head, body, nil)
		if err != nil || late || sent != len(head)+size || u.Sent != int64(sent) {
			t.Errorf("sent %d and counted %d of %d, late: %t, %v", sent, u.Sent, len(head)+size, late, err)
		}
		if !bytes.Equal(<-got, append(head, body...)) {
			t.Error("the process got other bytes")
		}
		if answer := hear(t, &u.Conn); answer != "answer" {
			t.Errorf("got %q", answer)
		}
	}
}

func TestAskIsLate(t *testing.T) {
	t.Parallel()
	u, _ := caller(t)
	u.ReadWait = short
	if sent, late, err := u.Ask([]byte("x"), nil, nil); sent != 1 || !late || err != nil {
		t.Errorf("sent %d, late: %t, %v; want late alone", sent, late, err)
	}
}
