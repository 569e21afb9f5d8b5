package owner

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// touch sets an app's restart file to a time of the test's clock, at once: who
// looks meanwhile must not see the machine's.
func (s *site) touch(app, name string, at time.Time) {
	s.t.Helper()
	dir := filepath.Join(filepath.Dir(s.files.Routes), app, "tmp")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	file := filepath.Join(dir, name)
	if err := errors.Join(os.WriteFile(file+".new", nil, 0o600), os.Chtimes(file+".new", at, at), os.Rename(file+".new", file)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) wantGeneration(want int) {
	s.t.Helper()
	if got := s.view("shop").Generation; got != want {
		s.t.Fatalf("generation %d, want %d", got, want)
	}
}

func TestTouchedFileRestartsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.touch("shop", "restart.txt", time.Now().Add(-time.Hour))
		s.start(t.Context())
		defer s.stop()
		time.Sleep(10 * time.Second)
		s.wantGeneration(1) // it was there before
		s.touch("shop", "restart.txt", time.Now())
		time.Sleep(10 * time.Second)
		s.wantGeneration(2)
		s.touch("shop", "restart.txt", time.Now().Add(-2*time.Hour)) // of another release
		time.Sleep(10 * time.Second)
		s.wantGeneration(3)
	})
}

// The directory of one app is on a file system that does not answer. The other
// is restarted, the pool stops, and the one is looked at once until it answers.
func TestADirectoryThatHangsHoldsUpNoOther(t *testing.T) {
	hung, looks := make(chan struct{}), atomic.Int64{}
	testOnlyLooking = func(dir string) {
		if strings.Contains(dir, "/hangs/") {
			looks.Add(1)
			<-hung
		}
	}
	defer func() { testOnlyLooking = nil }()
	synctest.Test(t, func(t *testing.T) {
		answered := make(chan struct{})
		hung = answered
		s := newSite(t, "hangs", "shop")
		s.start(t.Context())
		time.Sleep(5 * time.Second)
		s.touch("shop", "restart.txt", time.Now())
		time.Sleep(5 * time.Second)
		s.wantGeneration(2)
		if got := looks.Load(); got != 1 {
			t.Errorf("%d looks at the directory that hangs, want 1", got)
		}
		s.touch("hangs", "restart.txt", time.Now())
		close(answered)
		time.Sleep(5 * time.Second)
		if got := s.view("hangs").Generation; got != 2 {
			t.Errorf("generation %d of the app whose directory answers again, want 2", got)
		}
		s.stop()
	})
}

func TestFileTouchedWhileNoPoolRanRestarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.start(t.Context())
		time.Sleep(10 * time.Second)
		s.stop()
		s.touch("shop", "restart.txt", time.Now())
		time.Sleep(time.Second)
		s.start(t.Context())
		time.Sleep(10 * time.Second)
		s.wantGeneration(2)
		s.stop()
		s.start(t.Context()) // what runs is newer now
		time.Sleep(10 * time.Second)
		s.wantGeneration(2)
		s.stop()
	})
}

func TestAlwaysRestartFileEndsIdleProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.start(t.Context())
		defer s.stop()
		s.touch("shop", "always_restart.txt", time.Now())
		time.Sleep(20 * time.Second)
		if n := s.spawner.living("shop"); n != 0 {
			t.Errorf("%d processes live that no request asks for", n)
		}
	})
}
