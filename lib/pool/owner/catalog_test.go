package owner

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
)

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
		if _, err := s.owner.Reload(t.Context()); err != nil {
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
		if _, err := s.owner.Reload(t.Context()); err != nil {
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

// Proxies believe an administrator's word for where files are, and the app's own
// only as far as its user could read them.
func TestWhatTheAppSetsIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		dir := filepath.Dir(s.files.Routes)
		current := filepath.Join(dir, "current")
		own := map[string]any{
			"static_files_dir": "/etc", "custom_error_page": "/etc/passwd", "maintenance_page": "m.html", "sendfile_dirs": []string{"/"},
			"accel_locations": map[string]string{"/a/": "/a", "/b/": "/b"}, "static_mounts": map[string]string{"/s/": "/etc", "/t/": "/etc"},
		}
		if err := os.Symlink(s.app("first", own), current); err != nil {
			t.Fatal(err)
		}
		s.spawner.root = current
		s.write(filepath.Join(s.files.Fixed, "shop.json"), map[string]any{
			"app_root": current, "static_files_dir": "/srv/files", "accel_locations": map[string]string{"/b/": "/srv/b"},
			"static_mounts": map[string]string{"/t/": "/srv/t"},
		})
		s.start(t.Context())
		defer s.stop()
		told := func(when string) {
			t.Helper()
			time.Sleep(10 * time.Second)
			got := s.owner.routes.Get().Apps[0]
			want := []string{"accel_locations./a/", "custom_error_page", "maintenance_page", "sendfile_dirs", "static_mounts./s/"}
			if !cmp.Equal(got.SetByApp, want) || got.StaticMounts["/t/"] != "/srv/t" || got.StaticDir != "/srv/files" || got.AccelLocations["/b/"] != "/srv/b" {
				t.Errorf("%s: got %v of %+v, want %v", when, got.SetByApp, got.Serving, want)
			}
		}
		told("at first")
		if _, err := s.owner.Restart(t.Context(), "shop", protocol.RestartRequest{}); err != nil {
			t.Fatal(err)
		}
		told("after a restart")
		if err := errors.Join(os.Remove(current), os.Symlink(s.app("second", own), current)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.owner.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		told("after a reload that found another directory")
	})
}
