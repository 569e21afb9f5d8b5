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
				s.kin.Follow(p)
			}
			s.kin.ForgetDead()
		case <-ctx.Done():
			return
		}
	}
}

// Strays are the processes that fell to us and run on, with what is known of
// them.
func (s *Spawner) Strays() []protocol.Stray { return s.kin.Strays(s.running()) }
