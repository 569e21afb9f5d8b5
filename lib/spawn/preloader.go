package spawn

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/bug"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/spawn/diagnosis"
	"passenger/lib/spawn/environ"
	"passenger/lib/spawn/fork"
	"passenger/lib/spawn/notify"
	"passenger/lib/spawn/process"
	"passenger/lib/statedir"
)

// A preloader has loaded an app and forks processes of one generation. A fork
// takes milliseconds, and shares the memory that neither writes to. The processes
// become children of ours and do not need the preloader.
type preloader struct {
	*process.Process
	control *net.UnixConn // SOCK_SEQPACKET: a request and a reply for each fork
	turn    chan struct{} // holds one token; taken for a fork
	limit   time.Duration // of its idle time, 0 for none
	idle    *time.Timer   // ends it when it had nothing to fork for long; nil if it stays

	from  string        // the ID of the process that was promoted, empty if it loaded the app itself
	added environ.Added // what it added to its environment, which its forks have too

	used     sync.Mutex // guards the fields below
	warnings []string   // what makes a fork of it unsafe, nil until it is ready
	made     int
	last     time.Time // of a fork, the zero time if there was none
}

// preloaderGrace is how long a preloader may take to exit. It has nothing to
// finish.
const preloaderGrace = 2 * time.Second

// startPreloader starts a preloader for the attempt's generation and returns it
// when the app is loaded. died says that the preloader ended without saying why.
// The error is [survey.ErrChanged], a *protocol.SpawnError or a *protocol.Error.
func (a *attempt) startPreloader(ctx context.Context) (l *preloader, died bool, err error) {
	ours, theirs, err := fork.Pair()
	if err != nil {
		return nil, false, a.explain(err)
	}
	defer theirs.Close()
	b := &attempt{s: a.s, req: a.req, plan: a.plan.Preloading(), endpoint: theirs, noticed: make(chan notify.Notice, 4)}
	b.req.ID = strings.ToLower(rand.Text()[:12])
	if err := a.s.registerPreloader(b, ours, ""); err != nil {
		ours.Close()
		return nil, false, a.explain(err)
	}
	if err := b.run(ctx); err != nil {
		b.preloader.control.Close()
		a.s.forgetPreloader(b.preloader)
		var exit *diagnosis.ExitError
		return nil, errors.As(b.cause, &exit) && exit.Report == nil, err
	}
	return b.preloaderReady(), false, nil
}

// preloaderReady is what there is to do once the preloader can fork.
func (a *attempt) preloaderReady() *preloader {
	l := a.preloader
	l.added = a.plan.Added
	l.used.Lock()
	l.warnings = a.warnings
	l.used.Unlock()
	l.ShowStart()
	r := l.Snapshot()
	for _, w := range a.warnings {
		slog.Warn("preloader", "app", r.App, "generation", r.Generation, "warning", w)
	}
	l.startIdling(seconds(*a.plan.Config.PreloaderIdleTime))
	slog.Info("preloader ready", "app", r.App, "pid", r.PID, "generation", r.Generation, "took", seconds(r.SpawnTook).Round(time.Millisecond))
	bug.Go(func() {
		<-l.Exited()
		l.control.Close()
		a.s.forgetPreloader(l)
		a.s.publish()
	})
	return l
}

// startIdling has the preloader end when it had nothing to fork for so long; 0
// lets it stay.
func (l *preloader) startIdling(limit time.Duration) {
	l.limit = limit
	if limit == 0 {
		return
	}
	l.used.Lock()
	defer l.used.Unlock()
	l.idle = time.AfterFunc(limit, func() {
		defer bug.Caught(nil)
		select {
		case <-l.turn: // and never given back: there is no fork after this
			slog.Info("preloader is idle", "app", l.Snapshot().App, "idle", limit)
			l.end()
		default: // it forks
		}
	})
}

// forked counts a fork and starts the idle time anew.
func (l *preloader) forked() {
	l.used.Lock()
	defer l.used.Unlock()
	l.made++
	l.last = time.Now()
	if l.idle != nil {
		l.idle.Reset(l.limit)
	}
}

// gone says whether the preloader has ended or was told to.
func (l *preloader) gone() bool { return l.Snapshot().State != protocol.Ready }

// end stops the preloader and returns when it is gone.
func (l *preloader) end() { l.Stop(preloaderGrace, func() { l.control.Close() }) }

// describe is what GET /v1/preloaders says of it.
func (l *preloader) describe() protocol.Preloader {
	r := l.Snapshot()
	l.used.Lock()
	defer l.used.Unlock()
	return protocol.Preloader{
		ID: r.ID, App: r.App, Generation: r.Generation, State: r.State, PID: r.PID, StartedAt: r.StartedAt, ReadyAt: r.ReadyAt,
		Forked: l.made, LastFork: l.last, Warnings: l.warnings, ReforkedFrom: l.from,
	}
}

// Preloaders lists those that were started and are not gone, in order of start.
func (s *Spawner) Preloaders() []protocol.Preloader {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []protocol.Preloader{}
	for _, l := range s.preloaders {
		if d := l.describe(); d.PID != 0 && d.State != protocol.Exited {
			list = append(list, d)
		}
	}
	return list
}

// StopPreloader stops a preloader, or returns [ErrUnknown].
func (s *Spawner) StopPreloader(id string) (protocol.Preloader, error) {
	s.mu.Lock()
	var found *preloader
	for _, l := range s.preloaders {
		if r := l.Snapshot(); r.ID == id && r.PID != 0 {
			found = l
		}
	}
	s.mu.Unlock()
	if found == nil {
		return protocol.Preloader{}, fmt.Errorf("preloader %q: %w", id, ErrUnknown)
	}
	found.end()
	return found.describe(), nil
}

// clearPreloaders ends the preloaders of an earlier spawner, which no other can
// use. They exit when it is gone; those that hang are killed.
func clearPreloaders(state statedir.Dir) error {
	entries, err := os.ReadDir(state.Preloaders())
	if err != nil {
		return fmt.Errorf("clear preloaders: %w", err)
	}
	for _, e := range entries {
		dir := state.Preloader(e.Name())
		if err := clearPreloader(dir); err != nil && !errors.Is(err, proc.ErrGone) && !errors.Is(err, os.ErrNotExist) {
			slog.Error("preloader not stopped", "dir", string(dir), "err", err)
			continue
		}
		if err := os.RemoveAll(string(dir)); err != nil {
			slog.Error("preloader directory not removed", "err", err)
		}
	}
	return nil
}

// clearPreloader kills the preloader whose directory this is, if it still
// runs.
func clearPreloader(dir statedir.ProcessDir) error {
	var r protocol.Process
	if err := statedir.ReadJSON(dir.Record(), &r); errors.Is(err, os.ErrNotExist) {
		endUnknown(dir)
		return err
	} else if err != nil {
		return err
	}
	handle, err := proc.Open(proc.Identity{PID: r.PID, StartTime: r.StartTime, BootID: r.BootID})
	if err != nil {
		return err
	}
	defer handle.Close()
	return handle.SignalGroup(unix.SIGKILL)
}
