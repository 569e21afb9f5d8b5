package owner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"passenger/lib/protocol"
)

// reboot takes away what the state directory had.
func (s *site) reboot() {
	s.t.Helper()
	s.stop()
	s.spawner = newFakeSpawner()
	if err := os.RemoveAll(s.files.Added); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Mkdir(s.files.Added, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Remove(s.files.Routes); err != nil {
		s.t.Fatal(err)
	}
}

func TestWhatCommandsSetOutlivesABoot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop", "blog")
		s.files.Keep = Keep(filepath.Join(filepath.Dir(s.files.Routes), "keep"))
		s.start(t.Context())
		three, zero := 3, 0
		for name, app := range map[string]int{"more": 0, "gone": 0} {
			dir := s.app(name, nil)
			if _, err := s.owner.Put(t.Context(), name, protocol.AppConfig{AppRoot: dir, BaseURI: "/" + name, MinInstances: &app}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.owner.Remove(t.Context(), "gone"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.owner.Scale(t.Context(), "shop", &three); err != nil {
			t.Fatal(err)
		}
		if _, err := s.owner.Scale(t.Context(), "blog", &zero); err != nil {
			t.Fatal(err)
		}
		if _, err := s.owner.Pause(t.Context(), "more", protocol.PauseRequest{Page: true}); err != nil {
			t.Fatal(err)
		}
		s.reboot()
		s.start(t.Context())
		time.Sleep(5 * time.Second)
		if shop, blog := s.ready("shop"), s.ready("blog"); shop != 3 || blog != 0 {
			t.Errorf("got %d processes of shop and %d of blog, want 3 and 0", shop, blog)
		}
		if a, err := s.owner.App(t.Context(), "more"); err != nil || a.Paused != protocol.PausedPage || a.Config.BaseURI != "/more" {
			t.Errorf("more: got %+v, %v, want it paused", a, err)
		}
		if _, err := s.owner.App(t.Context(), "gone"); err == nil {
			t.Error("what was removed is back")
		}

		// Within a boot the state directory counts, also where it says nothing.
		if err := s.owner.Remove(t.Context(), "more"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.owner.Scale(t.Context(), "shop", nil); err != nil {
			t.Fatal(err)
		}
		s.reboot()
		s.start(t.Context())
		time.Sleep(5 * time.Second)
		if a, err := s.owner.App(t.Context(), "shop"); err != nil || a.Instances != nil {
			t.Errorf("shop: got %v, %v, want no order", a.Instances, err)
		}
		if _, err := s.owner.App(t.Context(), "more"); err == nil {
			t.Error("what was removed is back")
		}
		s.stop()
	})
}

// A file of another release, or a broken one, loses nothing else.
func TestOrdersThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text  string
		paths string // what is there afterwards
		want  string
	}{
		"newer":   {`{"version": 99, "apps": {"shop": {"instances": 2, "colour": "red"}, "unknown": {"instances": 1}}}`, "orders.json", "2"},
		"older":   {`{"apps": {"shop": {"instances": 2}}}`, "orders.json", "2"},
		"broken":  {`{"apps": `, "orders.json.unreadable", ""},
		"too big": {`{"version": 1, "apps": {"shop": {"instances": 2000000}}}`, "orders.json", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "shop")
			s.files.Keep = Keep(filepath.Join(filepath.Dir(s.files.Routes), "keep"))
			if err := s.files.Keep.make(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.files.Keep.orders(), []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			o, err := New(s.spawner, s.files, s.limits, nil)
			if err != nil {
				t.Fatal(err)
			}
			a, _ := o.pool.App(time.Now(), "shop")
			got := ""
			if a.Instances != nil {
				got = string(rune('0' + *a.Instances))
			}
			if got != tt.want {
				t.Errorf("got %q instances, want %q", got, tt.want)
			}
			files, err := filepath.Glob(string(s.files.Keep) + "/orders*")
			if err != nil || len(files) != 1 || !strings.HasSuffix(files[0], tt.paths) {
				t.Errorf("got %v, want %s", files, tt.paths)
			}
		})
	}
}
