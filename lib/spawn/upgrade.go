package spawn

import (
	"context"
	"time"

	"passenger/lib/protocol"
)

// errHeld answers a start while the spawner is about to be replaced.
var errHeld = &protocol.Error{Code: protocol.CodeStopping, Message: "the spawner is being replaced by a new one", Hint: "ask again in a moment"}

// Hold refuses new starts from now on. It waits until those under way are over, at
// most for patience or until ctx ends, and says how many are not.
func (s *Spawner) Hold(ctx context.Context, patience time.Duration) int {
	s.mu.Lock()
	s.held = true
	s.mu.Unlock()
	over := time.NewTimer(patience)
	defer over.Stop()
	for {
		_, changed := s.feed.Wait() // a start's end is published
		n := s.underWay()
		if n == 0 {
			return 0
		}
		select {
		case <-changed:
		case <-over.C:
			return n
		case <-ctx.Done():
			return n
		}
	}
}

// Resume ends a Hold.
func (s *Spawner) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
}

// underWay is how many starts are.
func (s *Spawner) underWay() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, g := range s.generations {
		n += g.attempts
	}
	return n
}

// Flush passes on what was read of the processes' output. What they write from
// now on waits for the next spawner.
func (s *Spawner) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.processes {
		p.Flush()
	}
}

// Version runs the program at path with --version and returns what it prints.
func (s *Spawner) Version(ctx context.Context, path string) (string, error) {
	return s.children.Version(ctx, path)
}
