package owner

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	for _, survives := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, "shop")
			s.start(t.Context())
			defer s.stop()
			time.Sleep(500 * time.Millisecond)
			s.spawner.kill()
			if !survives {
				s.spawner.change(func() { s.spawner.list.Processes = nil })
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

func TestRestartWaitsForTheOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.start(t.Context())
		defer s.stop()
		time.Sleep(10 * time.Second)
		reply, err := s.owner.Restart(t.Context(), "shop", protocol.RestartRequest{Wait: true})
		if err != nil || !reply.Done || reply.Generation != 2 {
			t.Fatalf("got %+v, %v", reply, err)
		}
		if got := s.spawner.living("shop"); got != 1 {
			t.Errorf("%d live when the restart is done, want 1", got)
		}
		if got := s.table().Apps[0].Generation; got != 2 {
			t.Errorf("generation %d in the file", got)
		}
	})
}

func TestRestartThatFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, max string
		want      protocol.Code
	}{
		{"the old version serves on", "0", protocol.CodeRestartFailed},
		{"nothing serves", "1", protocol.CodeSpawnFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, "shop")
				s.files.Settings = []string{"max_instances=" + tt.max}
				s.start(t.Context())
				defer s.stop()
				time.Sleep(10 * time.Second)
				s.spawner.change(func() {
					s.spawner.refuse = func(r protocol.SpawnRequest) *protocol.SpawnError {
						return &protocol.SpawnError{Category: protocol.CategorySyntax, Summary: "config.ru:3: syntax error", App: r.App}
					}
				})
				_, err := s.owner.Restart(t.Context(), "shop", protocol.RestartRequest{Wait: true})
				var pe *protocol.Error
				if !errors.As(err, &pe) || pe.Code != tt.want || pe.Details == nil {
					t.Fatalf("got %#v, want %s with details", err, tt.want)
				}
			})
		})
	}
}

func TestRestartTakesNewSettings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.start(t.Context())
		defer s.stop()
		time.Sleep(2 * time.Second)
		s.app("shop", map[string]any{"envvars": map[string]string{"COLOUR": "red"}})
		if _, err := s.owner.Restart(t.Context(), "shop", protocol.RestartRequest{Wait: true}); err != nil {
			t.Fatal(err)
		}
		if got := s.spawner.starts()[1].Config.EnvVars["COLOUR"]; got != "red" {
			t.Errorf("started with %q", got)
		}
		s.app("shop", map[string]any{"min_instances": -1})
		_, err := s.owner.Restart(t.Context(), "shop", protocol.RestartRequest{Wait: true})
		if !has(err, protocol.CodeInvalidApp) {
			t.Errorf("got %v, want invalid-app", err)
		}
		if got := s.ready("shop"); got != 1 {
			t.Errorf("%d are ready, want 1", got)
		}
	})
}

func TestRestartTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.start(t.Context())
		defer s.stop()
		time.Sleep(2 * time.Second)
		s.spawner.change(func() { s.spawner.startTime = time.Minute })
		_, err := s.owner.Restart(t.Context(), "shop", protocol.RestartRequest{Wait: true, Timeout: 5})
		if !has(err, protocol.CodeTimeout) {
			t.Errorf("got %v, want timeout", err)
		}
	})
}

func has(err error, code protocol.Code) bool {
	var pe *protocol.Error
	return errors.As(err, &pe) && pe.Code == code
}

func TestAddedAppIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.start(t.Context())
		c := protocol.AppConfig{AppRoot: s.app("shop", map[string]any{"min_instances": 2})}
		for range 2 {
			if _, err := s.owner.Put(t.Context(), "shop", c); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Second)
		s.stop()
		s.start(t.Context())
		defer func() { s.stop() }()
		time.Sleep(10 * time.Second)
		if got := s.ready("shop"); got != 2 || len(s.spawner.starts()) != 2 {
			t.Fatalf("%d are ready and %d were asked for, want 2 and 2", got, len(s.spawner.starts()))
		}
		if err := s.owner.Remove(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		if got := s.spawner.living("shop"); got != 0 {
			t.Errorf("%d live after removal", got)
		}
		s.stop()
		s.start(t.Context())
		if list, err := s.owner.Apps(t.Context()); err != nil || len(list.Apps) != 0 {
			t.Errorf("got %+v, %v, want no apps", list, err)
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.write(filepath.Join(s.files.Fixed, "wiki.json"), map[string]any{"name": "wiki", "app_root": s.app("wiki", nil)})
		s.start(t.Context())
		defer s.stop()
		time.Sleep(10 * time.Second)
		other := s.app("other", map[string]any{"base_uri": "/shop"})
		empty := filepath.Join(filepath.Dir(other), "nowhere")
		for _, tt := range []struct {
			name string
			do   func() error
			code protocol.Code
			text []string
		}{
			{"a place that is taken", func() error { return s.put("other", other) }, protocol.CodeConflict, []string{"shop", "other", `"/shop"`}},
			{"a name that is taken", func() error { return s.put("shop", other) }, protocol.CodeConflict, []string{"/shop, named on the command line", "/other claims"}},
			{"a directory that is missing", func() error { return s.put("new", empty) }, protocol.CodeInvalidApp, []string{"nowhere"}},
			{"a relative directory", func() error { return s.put("new", "shop") }, protocol.CodeInvalidApp, []string{"absolute"}},
			{"removal of a named app", func() error { return s.owner.Remove(t.Context(), "shop") }, protocol.CodeConflict, []string{"command line"}},
			{"removal of the administrator's", func() error { return s.owner.Remove(t.Context(), "wiki") }, protocol.CodeConflict, []string{"wiki.json"}},
			{"removal of an unknown app", func() error { return s.owner.Remove(t.Context(), "shpo") }, protocol.CodeUnknownApp, []string{`did you mean "shop"?`}},
			{"restart of an unknown app", func() error {
				_, err := s.owner.Restart(t.Context(), "shpo", protocol.RestartRequest{})
				return err
			}, protocol.CodeUnknownApp, []string{`unknown app "shpo"; did you mean "shop"?`}},
			{"an unknown mode", func() error {
				_, err := s.owner.Restart(t.Context(), "shop", protocol.RestartRequest{Mode: "fast"})
				return err
			}, protocol.CodeBadRequest, []string{"fast"}},
		} {
			err := tt.do()
			if !has(err, tt.code) {
				t.Errorf("%s: got %v, want %s", tt.name, err, tt.code)
				continue
			}
			for _, text := range tt.text {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%s: %q does not name %s", tt.name, err, text)
				}
			}
		}
		if s.ready("shop") != 1 || s.ready("wiki") != 1 {
			t.Error("what ran does not run on")
		}
		if list, _ := s.owner.Apps(t.Context()); len(list.Apps) != 2 {
			t.Errorf("%d apps, want 2", len(list.Apps))
		}
	})
}

func (s *site) put(name, root string) error {
	_, err := s.owner.Put(s.t.Context(), name, protocol.AppConfig{AppRoot: root})
	return err
}

func TestNamedAppsThatClashAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.files.Named = []string{s.app("shop", nil), s.app("blog", map[string]any{"base_uri": "/shop"})}
	_, err := New(s.spawner, s.files, s.limits, nil)
	if err == nil || !strings.Contains(err.Error(), "shop") || !strings.Contains(err.Error(), "blog") {
		t.Errorf("got %v, want an error that names both", err)
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		file := func(name string) string { return filepath.Join(s.files.Fixed, name+".json") }
		for _, name := range []string{"shop", "blog", "wiki"} {
			s.write(file(name), map[string]any{"name": name, "app_root": s.app(name, nil)})
		}
		s.start(t.Context())
		defer s.stop()
		time.Sleep(10 * time.Second)
		if err := os.Remove(file("blog")); err != nil {
			t.Fatal(err)
		}
		s.write(file("wiki"), "broken")
		s.write(file("new"), map[string]any{"name": "new", "app_root": s.app("new", nil)})
		if err := s.owner.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		for name, want := range map[string]int{"shop": 1, "blog": 0, "wiki": 1, "new": 1} {
			if got := s.spawner.living(name); got != want {
				t.Errorf("%d processes of %s, want %d", got, name, want)
			}
		}
		if got := len(s.spawner.starts()); got != 4 {
			t.Errorf("%d starts, want 4: what did not change runs on", got)
		}
	})
}

func TestBrokenSettingsAtStartLeaveTheProcessesAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		file := filepath.Join(s.files.Fixed, "wiki.json")
		settings := map[string]any{"name": "wiki", "app_root": s.app("wiki", nil)}
		s.write(file, settings)
		s.start(t.Context())
		time.Sleep(10 * time.Second)
		s.stop()
		s.write(file, "broken")
		s.start(t.Context())
		defer s.stop()
		time.Sleep(time.Minute)
		if got := s.spawner.living("wiki"); got != 1 {
			t.Fatalf("%d processes of an app whose file is broken, want the one that ran", got)
		}
		if _, err := s.owner.Restart(t.Context(), "wiki", protocol.RestartRequest{}); !has(err, protocol.CodeInvalidApp) {
			t.Errorf("restart: got %v, want invalid-app", err)
		}
		s.write(file, settings)
		if err := s.owner.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := len(s.spawner.starts()); got != 2 || s.ready("wiki") != 1 {
			t.Errorf("%d starts, %d ready, want 2 and 1", got, s.ready("wiki"))
		}
	})
}

func TestAppWhoseDirectoryIsGoneCanBeRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.start(t.Context())
		root := s.app("shop", nil)
		if err := s.put("shop", root); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		s.stop()
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		s.start(t.Context())
		defer func() { s.stop() }()
		time.Sleep(10 * time.Second)
		if err := s.owner.Remove(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		if got := s.spawner.living("shop"); got != 0 {
			t.Errorf("%d live after removal", got)
		}
		if err := s.owner.Remove(t.Context(), "shop"); !has(err, protocol.CodeUnknownApp) {
			t.Errorf("removed again: %v", err)
		}
	})
}

func TestAppAddedDuringItsRemoval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.start(t.Context())
		defer s.stop()
		root := s.app("shop", nil)
		if err := s.put("shop", root); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		removed := make(chan error)
		go func() { removed <- s.owner.Remove(t.Context(), "shop") }()
		synctest.Wait()
		if err := s.put("shop", root); err != nil {
			t.Fatal(err)
		}
		if err := <-removed; !has(err, protocol.CodeConflict) {
			t.Errorf("the removal ends with %v", err)
		}
		time.Sleep(10 * time.Second)
		if got := s.ready("shop"); got != 1 {
			t.Errorf("%d are ready, want 1", got)
		}
	})
}

func TestBlockingRestartStopsTheOldPreloader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.start(t.Context())
		defer s.stop()
		time.Sleep(2 * time.Second)
		if _, err := s.owner.Restart(t.Context(), "shop", protocol.RestartRequest{Mode: "blocking", Wait: true}); err != nil {
			t.Fatal(err)
		}
		if got := s.spawner.cleared; !slices.Equal(got, []string{"l001"}) {
			t.Errorf("stopped the preloaders %v, want that of generation 1 of the app", got)
		}
	})
}
