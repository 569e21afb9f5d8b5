package spawn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/proc"
	"passenger/lib/protocol"
)

// forkTimeout is how long a preloader may take for one fork. It takes
// milliseconds; one that hangs is replaced.
const forkTimeout = 15 * time.Second

// maxPacket is the longest packet of a preloader that is read, in bytes.
const maxPacket = 4 << 10

// errPreloaderLost says that the preloader was gone before it had forked, or
// did not answer. Another one may.
var errPreloaderLost = errors.New("the preloader was lost")

// A forkRequest asks a preloader for a process. The descriptors of the process
// come with it: standard output and error, its listening socket, its notify
// socket, its gate. The same asks a process for a preloader; that has the end
// of its control socket in the place of the listening socket.
type forkRequest struct {
	ID string `json:"id"`
}

// A forker is a process that forks another.
type forker interface {
	// fork sends one request and waits for its reply.
	fork(ctx context.Context, id string, files []*os.File) error
	snapshot() protocol.Process
}

// A forkReply says that the process was forked, or why not.
type forkReply struct {
	ID    string `json:"id"`
	Error string `json:"error"`
}

// fork has the preloader fork the attempt's process, or a process the
// preloader, writes its record and lets it through its gate.
func (a *attempt) fork(ctx context.Context, from forker) error {
	given, err := a.belongings()
	if err != nil {
		return err
	}
	defer closeAll(given)
	g, gateEnd, err := newGate()
	if err != nil {
		return err
	}
	defer g.close()
	defer gateEnd.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, a.forkTimeout, fmt.Errorf("%w: it did not fork within %v", errPreloaderLost, a.forkTimeout))
	defer cancel()
	if err := from.fork(ctx, a.req.ID, append(given[1:], gateEnd)); err != nil {
		return err
	}
	gateEnd.Close() // the process's copy must be the last, or we never see its end
	pid, err := g.hello(ctx)
	if err != nil {
		return err
	}
	handle, err := a.takeIn(pid)
	if err != nil {
		return err
	}
	if a.preloader == nil {
		a.p.change(func(r *protocol.Process) { r.Preloader = from.snapshot().ID })
	}
	if err := a.begin(handle); err != nil {
		return err
	}
	a.publish()
	if !a.plan.promotable {
		return g.pass()
	}
	control, err := g.passAndKeep()
	if control != nil {
		a.p.keepOrigin(&origin{process: a.p, control: control, plan: a.plan})
	}
	return err
}

// fork sends one request and waits for its reply. One request is under way at
// a time.
func (l *preloader) fork(ctx context.Context, id string, files []*os.File) error {
	select {
	case <-l.turn:
	case <-l.exited:
		return errPreloaderLost
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := askToFork(ctx, l.control, id, files)
	if ctx.Err() != nil && err != nil {
		return err // and not give the turn back: an answer that comes later would be taken for the next one's
	}
	if err == nil {
		l.forked()
	}
	l.turn <- struct{}{}
	return err
}

// askToFork sends one request and waits for its reply. The error is
// errPreloaderLost, a *forkError or ctx's cause.
func askToFork(ctx context.Context, control *net.UnixConn, id string, files []*os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = control.SetDeadline(time.Unix(1, 0)) }) // a socket has deadlines
	reply, err := exchange(control, id, files)
	switch {
	case !stop() && err != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("%w: %w", errPreloaderLost, err)
	case reply.ID != id:
		return fmt.Errorf("%w: it answered for %q", errPreloaderLost, reply.ID)
	case reply.Error != "":
		return &forkError{reply.Error}
	}
	return nil
}

// exchange sends the packet and reads the other.
func exchange(control *net.UnixConn, id string, files []*os.File) (forkReply, error) {
	packet, err := json.Marshal(forkRequest{ID: id})
	if err != nil {
		return forkReply{}, err
	}
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	if _, _, err := control.WriteMsgUnix(packet, unix.UnixRights(fds...), nil); err != nil {
		return forkReply{}, err
	}
	buf := make([]byte, maxPacket)
	n, _, err := control.ReadFromUnix(buf)
	if err != nil {
		return forkReply{}, err
	}
	if n == 0 {
		return forkReply{}, net.ErrClosed
	}
	var reply forkReply
	if err := json.Unmarshal(buf[:n], &reply); err != nil {
		return forkReply{}, fmt.Errorf("its answer is not JSON: %w", err)
	}
	return reply, nil
}

// A forkError says why the system refused a preloader its fork.
type forkError struct{ message string }

func (e *forkError) Error() string { return e.message }

// takeIn makes a forked process one of our children. pid is the kernel's word;
// that it fell to us and leads a group shows that it is what we asked for, and
// not another process that an app speaks for.
func (s *Spawner) takeIn(pid int) (*proc.Handle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err := proc.IdentityOf(pid)
	if err != nil {
		return nil, fmt.Errorf("%w: its process ended at once", errPreloaderLost)
	}
	if !proc.IsChild(pid) || !proc.InGroup(pid, pid) {
		return nil, fmt.Errorf("%w: process %d did not fall to the spawner or leads no group", errPreloaderLost, pid)
	}
	if s.children[pid] {
		return nil, fmt.Errorf("%w: process %d is known already", errPreloaderLost, pid)
	}
	handle, err := proc.Open(id)
	if err != nil {
		return nil, err
	}
	s.children[pid] = true
	return handle, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
