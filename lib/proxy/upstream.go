package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"
)

const (
	connectTimeout = 5 * time.Second

	// Servers close an idle connection without a word: gunicorn after 2
	// seconds, Node.js and uvicorn after 5. A request that meets that moment
	// on its way cannot always be sent again, so connections are given up
	// before. Our own adapters keep theirs.
	httpIdle    = 1500 * time.Millisecond
	sessionIdle = time.Minute
)

// errFull says that there is no room for a connection right now: in the
// backlog of a process's unix socket, or among our own descriptors.
var errFull = errors.New("no room for a connection")

// An upstream is a connection to a process.
type upstream struct {
	conn
	idleSince int64 // in the clock's time
	reused    bool  // an earlier session used it

	peekFn func(uintptr) // tryPeek, made once
	calm   bool          // its result
}

// dial connects to p. It does not wait for the process to accept.
func (p *Proxy) dial(t *process) (*upstream, error) {
	network, address, ok := strings.Cut(t.address, ":")
	if !ok || network != "unix" && network != "tcp" {
		return nil, fmt.Errorf("process %q has the unknown address %q", t.id, t.address)
	}
	d := net.Dialer{Timeout: connectTimeout, KeepAlive: -1}
	nc, err := d.DialContext(context.Background(), network, address)
	if err != nil {
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			return nil, errFull
		}
		return nil, err
	}
	u := &upstream{}
	u.writeWait, u.peekFn = p.Timeouts.Write, u.tryPeek
	if err := u.open(nc, p.clock); err != nil {
		return nil, err
	}
	return u, nil
}

// quiet reports whether u, which was idle, can carry another request: it is
// open, and the process has sent nothing that nobody asked for, which would
// be taken for the next answer.
func (u *upstream) quiet() bool {
	u.calm = false
	err := u.raw.Control(u.peekFn)
	return u.calm && err == nil
}

func (u *upstream) tryPeek(fd uintptr) {
	var one [1]byte
	_, errno := receive(fd, one[:], syscall.MSG_PEEK)
	u.calm = errno == syscall.EAGAIN
}
