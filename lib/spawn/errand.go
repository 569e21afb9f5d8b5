package spawn

import (
	"context"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"passenger/lib/bug"
	"passenger/lib/proc"
	"passenger/lib/spawn/gate"
)

// errand starts a process at a gate that carries out the order and becomes no
// command, and returns its answer with the file that it opened, if it did. It
// is killed when ctx ends. One that the kernel does not let go even then, as on
// a dead file server, is left behind, and no thread of ours waits for it.
func (s *Spawner) errand(ctx context.Context, o gate.Order) (a gate.Answer, file *os.File, err error) {
	g, gateEnd, err := gate.New()
	if err != nil {
		return gate.Answer{}, nil, err
	}
	defer g.Close()
	defer gateEnd.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return gate.Answer{}, nil, err
	}
	defer null.Close()
	runner, err := s.startProcess("/proc/self/exe", gate.Args([]string{"errand"}), &os.ProcAttr{
		Env: os.Environ(), Files: []*os.File{null, null, null, null, null, gateEnd}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return gate.Answer{}, nil, err
	}
	gateEnd.Close()
	defer bug.Go(func() { s.dismiss(runner) })
	if a, err = g.Open(ctx, o); err != nil {
		return gate.Answer{}, nil, err
	}
	return a, g.TakeFile(), nil
}

// dismiss ends a process on an errand, and reaps it.
func (s *Spawner) dismiss(runner *proc.Handle) {
	defer runner.Close()
	_ = runner.Signal(unix.SIGKILL) // gone is fine
	if runner.Wait() == nil {
		_, _ = runner.Reap() // nobody asks for its status
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.children, runner.Identity().PID)
}
