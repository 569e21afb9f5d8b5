package owner

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"passenger/lib/protocol"
)

func TestPoolKeepsItsAppsRunning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop", "blog")
		s.files.Settings = []string{"min_instances=2"}
		s.start(t.Context())
		defer s.stop()
		time.Sleep(1500 * time.Millisecond)
		if s.ready("shop") != 2 || s.ready("blog") != 2 {
			t.Fatalf("%d and %d are ready, want 2 of each", s.ready("shop"), s.ready("blog"))
		}
		s.spawner.exit(s.view("shop").Processes[0].ID, "killed by SIGKILL")
		synctest.Wait()
		if got := s.spawner.living("shop"); got != 2 {
			t.Fatalf("%d live, want 2: a dead one is replaced at once", got)
		}
	})
}

func TestQueueStartsProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.start(t.Context())
		defer s.stop()
		time.Sleep(2 * time.Second)
		s.report(protocol.ProxyReport{Apps: map[string]protocol.AppReport{"shop": {Queued: 2, OldestWait: 2}}})
		time.Sleep(2 * time.Second)
		if got := s.ready("shop"); got != 3 {
			t.Fatalf("%d are ready, want 3", got)
		}
		s.report(protocol.ProxyReport{Leaving: true})
		time.Sleep(10 * time.Minute)
		if got := s.ready("shop"); got != 1 {
			t.Fatalf("%d are ready after ten idle minutes, want 1", got)
		}
	})
}

func (s *site) report(r protocol.ProxyReport) {
	r.RoutesVersion = s.owner.routes.Get().Version
	s.owner.tell(s.t.Context(), func(now time.Time) { s.owner.pool.Reported(now, "proxy", r) })
	synctest.Wait()
}

func TestPoolDiesAndAdopts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.files.Settings = []string{"min_instances=3"}
		s.start(t.Context())
		time.Sleep(2 * time.Second)
		s.stop()
		if got := s.spawner.living("shop"); got != 3 {
			t.Fatalf("%d live when the pool is gone, want 3", got)
		}
		before := s.table()
		s.spawner.kill()
		s.start(t.Context())
		defer s.stop()
		time.Sleep(time.Minute)
		if got := s.table(); got.Version != before.Version || len(got.Apps[0].Processes) != 3 {
			t.Fatalf("without the spawner it published %+v", got)
		}
		s.spawner.revive()
		time.Sleep(time.Second)
		if got := s.ready("shop"); got != 3 || len(s.spawner.starts()) != 3 {
			t.Fatalf("%d are ready and %d were ever asked for, want 3 and 3", got, len(s.spawner.starts()))
		}
	})
}

// A pool that dies while processes start finds them in the spawner's list.
func TestPoolDiesDuringAStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.start(t.Context())
		time.Sleep(500 * time.Millisecond)
		s.stop()
		s.start(t.Context())
		defer s.stop()
		time.Sleep(time.Second)
		if got := s.ready("shop"); got != 1 || len(s.spawner.starts()) != 1 {
			t.Fatalf("%d are ready and %d were asked for, want 1 and 1", got, len(s.spawner.starts()))
		}
	})
}

func TestSpawnerDiesDuringAStart(t *testing.T) {
	t.Parallel()
	for _, fate := range []string{"survives", "is gone", "is ended by the next spawner"} {
		survives := fate == "survives"
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, "shop")
			s.start(t.Context())
			defer s.stop()
			time.Sleep(500 * time.Millisecond)
			s.spawner.kill()
			switch fate {
			case "is gone":
				s.spawner.change(func() { s.spawner.list.Processes = nil })
			case "is ended by the next spawner":
				s.spawner.change(func() {
					p := &s.spawner.list.Processes[0]
					p.State, p.Exit = protocol.Exited, &protocol.Exit{Cause: "killed by us", ByUs: true, Orphaned: true}
				})
			}
			time.Sleep(100 * time.Millisecond)
			s.spawner.revive()
			if survives {
				time.Sleep(time.Second)
				if got := s.ready("shop"); got != 1 || len(s.spawner.starts()) != 1 {
					t.Errorf("%d are ready and %d were asked for, want 1 and 1", got, len(s.spawner.starts()))
				}
			} else {
				time.Sleep(600 * time.Millisecond)
				if len(s.spawner.starts()) != 2 {
					t.Errorf("%d were asked for, want 2: the first is lost", len(s.spawner.starts()))
				}
			}
			time.Sleep(2 * time.Second)
			if v := s.view("shop"); v.Failures != 0 || v.LastError != nil {
				t.Errorf("the spawner's death counts as a failure of the app: %+v", v)
			}
		})
	}
}

func TestSpawnerThatComesBackLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.start(t.Context())
		defer s.stop()
		time.Sleep(2 * time.Second)
		s.spawner.kill()
		id := s.view("shop").Processes[0].ID
		s.spawner.change(func() { s.spawner.list.Processes = nil })
		time.Sleep(time.Minute)
		if got := s.table().Apps[0].Processes; len(got) != 1 || got[0].ID != id {
			t.Fatalf("the table has %+v while the spawner is down", got)
		}
		s.spawner.revive()
		time.Sleep(time.Second)
		if got := s.spawner.living("shop"); got != 1 {
			t.Fatalf("%d live a second after the spawner is back, want 1", got)
		}
	})
}

func has(err error, code protocol.Code) bool {
	var pe *protocol.Error
	return errors.As(err, &pe) && pe.Code == code
}
