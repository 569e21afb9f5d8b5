package spawn

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"passenger/lib/bug"
	"passenger/lib/protocol"
	"passenger/lib/spawn/process"
)

// Stop asks a process to go, kills it if it does not within its grace, and
// returns its last record. One that is gone already is no error.
func (s *Spawner) Stop(id string, req protocol.StopRequest) (protocol.Process, error) {
	p := s.find(id)
	if p == nil || p.Snapshot().PID == 0 {
		return protocol.Process{}, fmt.Errorf("process %q: %w", id, ErrUnknown)
	}
	r := p.Snapshot()
	if r.State != protocol.Exited {
		if req.Dump {
			s.dump(p)
		}
		p.Because(req.Reason)
		p.Stop(seconds(r.StopGrace), s.publish)
	}
	return p.Snapshot(), nil
}

// Close ends the preloaders, which no other spawner can use, and the processes
// without a record, which none would know. The others run on.
func (s *Spawner) Close() {
	s.stopPreloaders()
	s.stopUnrecorded()
}

// StopAll stops every process and returns when they are gone.
func (s *Spawner) StopAll() {
	atOnce(s.running(), func(p *process.Process) { p.Stop(seconds(p.Snapshot().StopGrace), s.publish) })
}

// KillAll ends every process at once, for the reason given.
func (s *Spawner) KillAll(why string) {
	atOnce(s.running(), func(p *process.Process) { p.Kill(why) })
}

// stopPreloaders stops all.
func (s *Spawner) stopPreloaders() {
	s.mu.Lock()
	preloaders := slices.Clone(s.preloaders)
	s.mu.Unlock()
	atOnce(preloaders, func(l *preloader) {
		if l.Snapshot().PID != 0 {
			l.end()
		}
	})
}

// stopUnrecorded stops the processes that no later spawner would know.
func (s *Spawner) stopUnrecorded() {
	atOnce(s.unrecorded(), func(p *process.Process) {
		r := p.Snapshot()
		slog.Warn("stopping a process that has no record", "app", r.App, "pid", r.PID, "err", r.Unrecorded)
		p.Because("its record could not be written")
		p.Stop(seconds(r.StopGrace), s.publish)
	})
}

// atOnce calls f with all of them at once, and returns when all calls have.
func atOnce[T any](all []T, f func(T)) {
	var wg sync.WaitGroup
	for _, v := range all {
		wg.Go(func() {
			defer bug.Caught(nil)
			f(v)
		})
	}
	wg.Wait()
}
