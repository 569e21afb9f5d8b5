package spawn

import (
	"errors"
	"testing"

	"passenger/lib/protocol"
)

func TestPromote(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	c := preloaded(t, "")
	c.ReforkAfter = 100
	first, err := spawnID(t, s, "aaaa", c, 1)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Promote(t.Context(), "aaaa")
	if err != nil || l.ReforkedFrom != "aaaa" || l.ID == first.Preloader || l.State != protocol.Ready {
		t.Fatalf("got %+v, %v, want a preloader from aaaa", l, err)
	}
	second, err := spawnID(t, s, "bbbb", c, 1)
	if err != nil || second.Preloader != l.ID {
		t.Errorf("got a process of preloader %q, %v, want %q", second.Preloader, err, l.ID)
	}
	for _, r := range []protocol.Process{first, second} {
		if w := ask(t, r); w.PID != r.PID || w.Group != r.PID {
			t.Errorf("got pid %d, group %d, want both %d", w.PID, w.Group, r.PID)
		}
	}
	eventually(t, "one preloader", func() bool { return len(s.Preloaders()) == 1 })
	// Again, and of one that was itself forked by a promoted one.
	l, err = s.Promote(t.Context(), "bbbb")
	if err != nil || l.ReforkedFrom != "bbbb" {
		t.Errorf("got %+v, %v, want a preloader from bbbb", l, err)
	}
	if r, err := s.Stop("aaaa", protocol.StopRequest{}); err != nil || r.Exit.Status != 0 {
		t.Errorf("stop the promoted process: %+v, %v", r.Exit, err)
	}
}

func TestWhatCannotBePromoted(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	if _, err := spawnID(t, s, "aaaa", preloaded(t, ""), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Promote(t.Context(), "none"); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown process: got %v, want ErrUnknown", err)
	}
	var e *protocol.Error
	if _, err := s.Promote(t.Context(), "aaaa"); !errors.As(err, &e) || e.Code != protocol.CodeConflict {
		t.Errorf("an app without refork_after: got %v, want a conflict", err)
	}
}
