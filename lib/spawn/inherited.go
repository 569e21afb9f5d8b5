package spawn

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"passenger/lib/output"
	"passenger/lib/protocol"
	"passenger/lib/spawn/environ"
	"passenger/lib/spawn/gate"
	"passenger/lib/spawn/notify"
	"passenger/lib/unixsock"
)

// prepare makes what the process will inherit.
func (a *attempt) prepare(context.Context) error {
	if a.plan.Kind == protocol.TypeGeneric && a.plan.ProcessType == "" {
		port, err := a.s.ports.Take()
		if err != nil {
			return err
		}
		a.port = port
	}
	for _, path := range []string{a.p.Dir.Stdout(), a.p.Dir.Stderr()} {
		if err := output.MakeFIFO(path, a.plan.User.UID); err != nil {
			return err
		}
	}
	uid := notify.AnyUser
	if a.s.Switching != nil {
		uid = a.plan.User.UID
	}
	var err error
	a.p.Notify, err = notify.New(a.s.dir.NotifySockets(), uid)
	if err != nil {
		return err
	}
	a.contract()
	return nil
}

// contract puts the variables of the process contract into the environment.
func (a *attempt) contract() {
	if a.plan.ProcessType != "" {
		environ.SideContract(a.plan.Env, a.p.Notify.Name, a.plan.ProcessType)
		return
	}
	environ.Contract(a.plan.Env, a.p.Notify.Name, a.port)
	if a.endpoint != nil {
		delete(a.plan.Env, "LISTEN_FDS")
		a.plan.Env["PASSENGER_PRELOADER_FD"] = strconv.Itoa(environ.ListenFD)
	}
}

// A passage is what a process of ours starts with: a gate, and the descriptors
// that it inherits, in the order of their numbers. The last is its side of the
// gate.
type passage struct {
	gate      *gate.Gate
	inherited []*os.File
}

// passage makes the gate and the descriptors: standard input, output and error,
// the listening socket, the socket to notify us, the gate. The caller leaves it.
func (a *attempt) passage() (p passage, err error) {
	defer func() {
		if err != nil {
			p.leave()
		}
	}()
	stream := func(path string) func() (*os.File, error) {
		return func() (*os.File, error) { return os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0) }
	}
	end := func() (end *os.File, err error) {
		p.gate, end, err = gate.New()
		return end, err
	}
	for _, open := range []func() (*os.File, error){
		func() (*os.File, error) { return os.Open(os.DevNull) }, stream(a.p.Dir.Stdout()), stream(a.p.Dir.Stderr()), a.listen, a.p.Notify.Client, end,
	} {
		f, err := open()
		if err != nil {
			return p, err
		}
		p.inherited = append(p.inherited, f)
	}
	return p, nil
}

// handOver closes our copies of the descriptors once the process has its own.
// While we hold a copy of its side, the gate cannot see the process's end.
func (p passage) handOver() {
	for _, f := range p.inherited {
		f.Close()
	}
}

// leave gives up the passage. A process that is through its gate goes on.
func (p passage) leave() {
	p.handOver() // may have been before
	if p.gate != nil {
		p.gate.Close()
	}
}

// listen makes the listening socket that the process inherits. The caller closes
// our copy, so that connections are refused when the process is gone.
func (a *attempt) listen() (*os.File, error) {
	if a.endpoint != nil {
		return duplicate(a.endpoint)
	}
	if a.plan.ProcessType != "" { // it has no socket; this keeps the numbers of the other descriptors
		return os.Open(os.DevNull)
	}
	gid := -1
	if a.s.Group != nil {
		gid = a.s.Group.GID
	}
	l, err := unixsock.ListenFor(a.p.Dir.Socket(), 0o660, gid)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	f, err := l.File()
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, fmt.Errorf("listen: %w", err)
	}
	a.inode = uint32(st.Ino)
	return f, nil
}

func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("duplicate %s: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
