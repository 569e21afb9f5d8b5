package spawn

import (
	"context"
	"time"

	"passenger/lib/protocol"
)

// followPause is how often Follow looks.
const followPause = 30 * time.Second

// Follow looks at the descendants of the processes now and then, until ctx ends,
// so that it is known later whose they were.
func (s *Spawner) Follow(ctx context.Context) {
	tick := time.NewTicker(followPause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for _, p := range append(s.running(), s.loaded()...) {
				s.kin.follow(p)
			}
			s.kin.forgetDead()
		case <-ctx.Done():
			return
		}
	}
}

// running are the processes that run.
func (s *Spawner) running() []*process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*process
	for _, p := range s.processes {
		if r := p.snapshot(); r.PID != 0 && r.State != protocol.Exited {
			list = append(list, p)
		}
	}
	return list
}

// loaded are the preloaders that run.
func (s *Spawner) loaded() []*process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*process
	for _, l := range s.preloaders {
		if r := l.snapshot(); r.PID != 0 && r.State != protocol.Exited {
			list = append(list, l.process)
		}
	}
	return list
}

// Strays are the processes that fell to us and run on, with what is known of
// them.
func (s *Spawner) Strays() []protocol.Stray { return s.kin.strays(s.running()) }
