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
	errFull         = errors.New("no room for a connection")
	errNoDescriptor = errors.New("too many open files")
)

// An upstream is a connection to a process.
type upstream struct {
	wire.Caller
	idleSince int64 // in the clock's time
	reused    bool  // an earlier session used it
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
	u.WriteWait = p.Timeouts.Write
	if err := u.OpenCaller(nc, p.clock); err != nil {
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
