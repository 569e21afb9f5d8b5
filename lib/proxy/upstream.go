package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"time"

	"passenger/lib/farend"
	"passenger/lib/proxy/files"
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

// Why there is no room for a connection right now: in the backlog of a
// process's unix socket, or among our own descriptors.
var (
	errFull         = errors.New("no room for a connection")
	errNoDescriptor = errors.New("too many open files")
)

// An upstream is a connection to a process.
type upstream struct {
	conn
	idleSince int64 // in the clock's time
	reused    bool  // an earlier session used it

	peekFn func(uintptr) // tryPeek, made once
	calm   bool          // its result

	askFn func(uintptr) bool // tryAsk, made once
	asked bool               // it sent
}

// dial connects to p. It does not wait for the process to accept.
func (p *Proxy) dial(t *process) (*upstream, error) {
	network, address, ok := strings.Cut(t.address, ":")
	if !ok || network != "unix" && network != "tcp" {
		return nil, fmt.Errorf("process %q has the unknown address %q", t.id, t.address)
	}
	d := net.Dialer{Timeout: connectTimeout, KeepAlive: -1}
	nc, err := d.DialContext(context.Background(), network, address)
	if err == nil {
		err = p.meet(nc, t)
	}
	if err != nil {
		switch {
		case errors.Is(err, syscall.EAGAIN):
			err = errFull
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
			err = errNoDescriptor
		}
		return nil, err
	}
	u := &upstream{}
	u.writeWait, u.peekFn, u.askFn = p.Timeouts.Write, u.tryPeek, u.tryAsk
	if err := u.open(nc, p.clock); err != nil {
		return nil, err
	}
	return u, nil
}

// meet says why a new connection did not reach the process: another user's
// listens on its port since it is gone, or stopped for a while. What is kept
// open stays with whom it reached.
func (p *Proxy) meet(nc net.Conn, t *process) error {
	if t.uid == files.UnknownUser {
		return nil
	}
	err := farend.Check(nc, t.uid)
	if errors.Is(err, farend.ErrUnknown) {
		p.strangers.Do(func() {
			slog.Warn("cannot tell whose process listens on an app's port; another user's may take the place of one that ended",
				"err", err, "hint", "have the app listen on descriptor 3, see passenger-protocol(7)")
		})
		return nil
	}
	if err != nil {
		nc.Close()
	}
	return err
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

// ask writes all of p and then all of p2, and waits until there is something
// to read, for u.readWait; late says that it was in vain. It is write and the
// first, idle half of a read in one: an answer cannot be there yet, so that to
// look for it would be a system call for nothing.
func (u *upstream) ask(p, p2 []byte) (sent int, late bool, err error) {
	t := &u.out
	t.p, t.p2, t.n, t.errno = p, p2, 0, 0
	u.asked = false
	err = u.raw.Read(u.askFn)
	p, p2, sent = t.p, t.p2, t.n
	t.p, t.p2 = nil, nil
	u.sent += int64(sent)
	late = settle(&u.readBy) != nil
	switch {
	case !u.asked:
		return 0, false, err
	case t.errno != 0 && t.errno != syscall.EAGAIN:
		return sent, false, t.errno
	case len(p)+len(p2) > 0:
		n, err := u.write(p, p2)
		return sent + n, false, err
	}
	return sent, late, nil // reading tells what else happened
}

func (u *upstream) tryAsk(fd uintptr) bool {
	if u.asked {
		return true
	}
	u.asked = true
	t := &u.out
	var n int
	if n, t.errno = t.send(fd); t.errno != 0 {
		return true
	}
	m := min(n, len(t.p))
	t.p, t.p2, t.n = t.p[m:], t.p2[n-m:], n
	if len(t.p)+len(t.p2) > 0 {
		return true
	}
	// The runtime has forgotten what it knew of u before it called us, so it
	// will tell of all that comes from now on.
	u.readBy.Store(u.clock.after(u.readWait))
	return false
}
