package balance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"passenger/lib/bug"
	"passenger/lib/farend"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/wire"
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
	ErrFull         = errors.New("no room for a connection")
	ErrNoDescriptor = errors.New("too many open files")
)

// FullPause is how long to wait for room for a connection to a process.
const FullPause = 5 * time.Millisecond

// An Upstream is a connection to a process.
type Upstream struct {
	wire.Caller
	idleSince int64 // in the clock's time
	Reused    bool  // an earlier session used it

	ahead sync.Mutex // held while a request goes ahead
	owed  []byte     // the rest of one that went in part; ahead guards it
}

// Owe notes what is left of a request of which a part went ahead over u.
func (u *Upstream) Owe(rest []byte) { u.owed = bytes.Clone(rest) }

// A Dialer connects to processes. Clock bounds the waits of its connections.
type Dialer struct {
	Clock     *wire.Clock
	WriteWait time.Duration // how long a process may take nothing
	unknown   sync.Once     // the kernel cannot tell who listens on a port
}

// errDial is why a bug of ours left no connection.
var errDial = errors.New("internal error: no connection was made")

// Dial connects to t. It does not wait for the process to accept.
//
// It does so in a goroutine of its own: connecting takes a stack so deep that the
// caller's would have to grow, and would stay so for as long as its client is slow.
func (d *Dialer) Dial(t *Process) (*Upstream, error) {
	var u *Upstream
	err := errDial
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer bug.Caught(nil)
		u, err = d.dial(t)
	}()
	<-done
	return u, err
}

func (d *Dialer) dial(t *Process) (*Upstream, error) {
	network, address, ok := strings.Cut(t.address, ":")
	if !ok || network != "unix" && network != "tcp" {
		return nil, fmt.Errorf("process %q has the unknown address %q", t.ID, t.address)
	}
	nd := net.Dialer{Timeout: connectTimeout, KeepAlive: -1}
	nc, err := nd.DialContext(context.Background(), network, address)
	if err == nil {
		err = d.meet(nc, t)
	}
	if err != nil {
		switch {
		case errors.Is(err, syscall.EAGAIN):
			err = ErrFull
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
			err = ErrNoDescriptor
		}
		return nil, err
	}
	t.accepted()
	u := &Upstream{}
	u.WriteWait = d.WriteWait
	if err := u.OpenCaller(nc, d.Clock); err != nil {
		return nil, err
	}
	return u, nil
}

// meet says why a new connection did not reach the process: a process of another
// user listens on its port, since it is gone or stopped for a while. A connection
// that is kept open stays with the process that it reached.
func (d *Dialer) meet(nc net.Conn, t *Process) error {
	if t.uid == files.UnknownUser {
		return nil
	}
	err := farend.Check(nc, t.uid)
	if errors.Is(err, farend.ErrUnknown) {
		d.unknown.Do(func() {
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
