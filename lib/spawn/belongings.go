package spawn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"passenger/lib/output"
	"passenger/lib/protocol"
	"passenger/lib/spawn/environ"
	"passenger/lib/spawn/notify"
	"passenger/lib/statedir"
	"passenger/lib/unixsock"
)

// prepare makes what the process will inherit.
func (a *attempt) prepare(context.Context) error {
	if a.plan.kind == protocol.TypeGeneric {
		port, err := a.s.ports.Take()
		if err != nil {
			return err
		}
		a.port = port
	}
	for _, path := range []string{a.p.dir.Stdout(), a.p.dir.Stderr()} {
		if err := output.MakeFIFO(path, a.plan.user.UID); err != nil {
			return err
		}
	}
	uid := notify.AnyUser
	if a.s.Switching != nil {
		uid = a.plan.user.UID
	}
	var err error
	a.p.notify, err = notify.New(a.s.dir.NotifySockets(), uid)
	if err != nil {
		return err
	}
	a.contract()
	return nil
}

// contract puts the variables of the process contract into the environment.
func (a *attempt) contract() {
	environ.Contract(a.plan.env, a.p.notify.Name, a.port)
	if a.endpoint != nil {
		delete(a.plan.env, "LISTEN_FDS")
		a.plan.env["PASSENGER_PRELOADER_FD"] = strconv.Itoa(environ.ListenFD)
	}
}

// belongings are the descriptors that a process starts with: standard input,
// output and error, its listening socket, and the socket to notify us.
func (a *attempt) belongings() (files []*os.File, err error) {
	defer func() {
		if err != nil {
			closeAll(files)
		}
	}()
	stream := func(path string) func() (*os.File, error) {
		return func() (*os.File, error) { return os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0) }
	}
	for _, open := range []func() (*os.File, error){
		func() (*os.File, error) { return os.Open(os.DevNull) }, stream(a.p.dir.Stdout()), stream(a.p.dir.Stderr()), a.listen, a.p.notify.Client,
	} {
		f, err := open()
		if err != nil {
			return files, err
		}
		files = append(files, f)
	}
	return files, nil
}

// listen makes the listening socket that the process inherits. We keep none:
// when the process is gone, connections are refused.
func (a *attempt) listen() (*os.File, error) {
	if a.endpoint != nil {
		return duplicate(a.endpoint)
	}
	gid := -1
	if a.s.Group != nil {
		gid = a.s.Group.GID
	}
	l, err := unixsock.ListenFor(a.p.dir.Socket(), 0o660, gid)
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

// makeDirectory makes the process's directory, or says that the ID is taken.
func (s *Spawner) makeDirectory(dir statedir.ProcessDir) error {
	err := os.Mkdir(string(dir), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return &protocol.Error{Code: protocol.CodeConflict, Message: fmt.Sprintf("process directory %s exists", dir)}
	}
	if err == nil && s.Group != nil { // to whose socket the group connects
		err = errors.Join(os.Lchown(string(dir), -1, s.Group.GID), os.Chmod(string(dir), 0o710))
	}
	return err
}

func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("duplicate %s: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
