package spawn

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"time"

	"passenger/lib/account"
	"passenger/lib/protocol"
	"passenger/lib/spawn/process"
	"passenger/lib/statedir"
)

// register takes the ID and makes the process's directory.
func (s *Spawner) register(a *attempt) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.processes {
		if p.Snapshot().ID == a.req.ID {
			return &protocol.Error{Code: protocol.CodeConflict, Message: fmt.Sprintf("process ID %q is in use", a.req.ID)}
		}
	}
	dir := s.dir.Process(a.req.ID)
	if err := makeDirectory(dir, s.Group); err != nil {
		return err
	}
	a.slot = freeSlot(s.processes, a.req.App)
	a.p = a.newProcess(dir)
	s.processes = append(s.processes, a.p)
	return nil
}

// freeSlot is the lowest number that no process of the app has which runs or
// starts.
func freeSlot(processes []*process.Process, app string) int {
	taken := map[int]bool{}
	for _, p := range processes {
		if r := p.Snapshot(); r.App == app && r.Exit == nil {
			taken[r.Slot] = true
		}
	}
	slot := 1
	for taken[slot] {
		slot++
	}
	return slot
}

func (a *attempt) newProcess(dir statedir.ProcessDir) *process.Process {
	return process.New(dir, a.newRecord(), &a.s.kin, a.s.publish)
}

// decided says that an attempt is over: from now on the end of its process is one
// for good.
func (s *Spawner) decided(a *attempt) {
	if a.p.Decide() {
		s.publish()
	}
}

// newRecord is the record of the process that is to be.
func (a *attempt) newRecord() protocol.Process {
	side := a.plan.Config.Processes[a.plan.ProcessType] // all zero for one that serves
	return protocol.Process{
		Version: protocol.Version, ID: a.req.ID, Slot: a.slot, App: a.req.App, Generation: a.req.Generation,
		State: protocol.Starting, DataProtocol: a.plan.Protocol, Concurrency: a.plan.Concurrency, Type: a.plan.Kind,
		AppRoot: a.plan.Root, Root: a.plan.Release.RootFor(a.plan.User.UID), Command: a.plan.Shown, User: a.plan.User.Name,
		GID: &a.plan.User.GID, Environment: a.plan.Config.Environment, LogFile: logPath(a.plan.Config, a.plan.Root),
		StopGrace: a.plan.Config.StopGrace, StartedAt: time.Now(),
		ProcessType: a.plan.ProcessType, QuietSignal: side.QuietSignal, QuietTime: side.QuietTime, StopSignal: side.StopSignal,
	}
}

// makeDirectory makes a process's directory, which the group may enter; nil for no
// group. The error is a *protocol.Error if the ID is taken.
func makeDirectory(dir statedir.ProcessDir, group *account.Group) error {
	err := os.Mkdir(string(dir), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return &protocol.Error{Code: protocol.CodeConflict, Message: fmt.Sprintf("process directory %s exists", dir)}
	}
	if err == nil && group != nil { // the group connects to the socket in it
		err = errors.Join(os.Lchown(string(dir), -1, group.GID), os.Chmod(string(dir), 0o710))
	}
	return err
}

// registerPreloader makes the preloader's directory and puts it into the list.
// from is the ID of the process that it is forked from, empty if there is none.
func (s *Spawner) registerPreloader(b *attempt, control *net.UnixConn, from string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := s.dir.Preloader(b.req.ID)
	if err := makeDirectory(dir, s.Group); err != nil {
		return err
	}
	b.p = process.NewPreloader(dir, b.newRecord(), &s.kin)
	b.preloader = &preloader{Process: b.p, control: control, from: from, turn: make(chan struct{}, 1)}
	b.preloader.turn <- struct{}{}
	s.preloaders = append(s.preloaders, b.preloader)
	return nil
}

func (s *Spawner) forgetPreloader(l *preloader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.preloaders = slices.DeleteFunc(s.preloaders, func(m *preloader) bool { return m == l })
}
