package listen

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"passenger/lib/unixsock"
)

// Hand-over: a proxy passes its lock and its listening sockets to a successor,
// over a unix socket.
//
// It sends one message in JSON, a line feed, and with it the descriptors of the
// lock and then of the sockets, in the order in which the message names them. The
// successor writes "ready" and a line feed once it is about to accept. The old
// one answers "bye" and a line feed: it has closed this socket, accepts no
// more, drains and exits. If the successor ends the connection before, nothing
// has happened. At every moment one of the two accepts, so that no client is
// refused.

// A message is what is handed over.
type message struct {
	Version int `json:"version"`

	// Addresses are those of the listening sockets, as in --listen.
	Addresses []string `json:"addresses"`
}

const (
	version = 1

	// stepTime bounds each step: a successor reads its certificates and
	// routes before it asks, so all it has to do is to begin.
	stepTime = 10 * time.Second
)

// A Predecessor is a proxy that offers its sockets.
type Predecessor struct {
	Sockets

	// Lock is the state directory's, held now by both.
	Lock *os.File

	conn *net.UnixConn
}

// Succeed asks the proxy at path for its sockets.
func Succeed(path string) (*Predecessor, error) {
	nc, err := net.DialTimeout("unix", path, stepTime)
	if err != nil {
		return nil, reason(err)
	}
	p := &Predecessor{conn: nc.(*net.UnixConn)}
	if err := p.receive(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Predecessor) receive() error {
	if err := p.conn.SetDeadline(time.Now().Add(stepTime)); err != nil {
		return err
	}
	line, fds, err := unixsock.Receive(p.conn)
	if err != nil {
		return reason(err)
	}
	var m message
	if err := json.Unmarshal(line, &m); err != nil || len(fds) != len(m.Addresses)+1 {
		unixsock.CloseAll(fds)
		return fmt.Errorf("it offers %d descriptors for %d sockets (%v)", len(fds), len(m.Addresses), err)
	}
	if m.Version > version {
		unixsock.CloseAll(fds)
		return fmt.Errorf("it hands over by version %d, and we know %d", m.Version, version)
	}
	p.Lock = os.NewFile(uintptr(fds[0]), "proxy.lock")
	for i, a := range m.Addresses {
		p.Add(a, fds[1+i])
	}
	return nil
}

// Ready tells the predecessor to accept no more. There is no way back from it:
// what may fail is done before. Its control and hand-over sockets are left for
// us to replace.
func (p *Predecessor) Ready() error {
	if _, err := io.WriteString(p.conn, "ready\n"); err != nil {
		return reason(err)
	}
	b := make([]byte, len("bye\n"))
	if _, err := io.ReadFull(p.conn, b); err != nil || string(b) != "bye\n" {
		return fmt.Errorf("the old proxy did not let go: %q, %v", b, err)
	}
	return nil
}

// Close ends the talk, and closes what was not taken but the lock. Before
// Ready it leaves the predecessor as it was.
func (p *Predecessor) Close() {
	p.conn.Close()
	p.Sockets.Close()
}

// Offer hands the lock and the listeners, which serve the addresses, over to
// the first proxy that asks on l and becomes ready, or returns when ctx ends.
// handed reports whether a successor has them: then it owns the files of the
// listeners.
func Offer(ctx context.Context, l *net.UnixListener, lock *os.File, addresses []string, listeners []net.Listener) (handed bool) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return false // it was closed: nothing else ends a listener
		}
		err = offer(c, lock, addresses, listeners)
		if err == nil {
			for _, l := range listeners {
				keepFile(l)
			}
			l.Close()
			_, _ = io.WriteString(c, "bye\n") // it took over, whether it reads this or not
			c.Close()
			return true
		}
		c.Close()
		slog.Warn("sockets not handed over", "err", err)
	}
}

func offer(c *net.UnixConn, lock *os.File, addresses []string, listeners []net.Listener) error {
	peer, err := unixsock.PeerOf(c)
	if err != nil {
		return err
	}
	if peer.UID != 0 && peer.UID != os.Geteuid() {
		return fmt.Errorf("asked by user %d, pid %d", peer.UID, peer.PID)
	}
	if err := c.SetDeadline(time.Now().Add(stepTime)); err != nil {
		return err
	}
	text, err := json.Marshal(message{version, addresses})
	if err != nil {
		return err
	}
	err = WithDescriptors(listeners, func(fds []int) error {
		return unixsock.Send(c, text, append([]int{int(lock.Fd())}, fds...))
	})
	if err != nil {
		return err
	}
	b := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "ready\n" {
		return fmt.Errorf("the successor was not ready: %q, %v", b, err)
	}
	return nil
}
