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

func (s *site) refused() []protocol.Refusal {
	s.t.Helper()
	list, err := s.owner.Apps(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return list.Refused
}

// A deploy that touches restart.txt gets no answer, so the list has to tell.
func TestSettingsThatARestartRefusesAreListedUntilMended(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.start(t.Context())
		defer s.stop()
		time.Sleep(10 * time.Second)
		root := s.view("shop").Config.AppRoot
		file := filepath.Join(root, "Passengerfile.json")
		s.write(file, map[string]any{"base_uri": "/shop", "min_instance": 2})
		if err := os.MkdirAll(filepath.Join(root, "tmp"), 0o700); err != nil {
			t.Fatal(err)
		}
		s.write(filepath.Join(root, "tmp", "restart.txt"), "")
		time.Sleep(10 * time.Second)
		list := s.refused()
		if len(list) != 1 || list[0].App != "shop" || !strings.Contains(list[0].Message, file+`: unknown key "min_instance"`) {
			t.Fatalf("got %+v, want the key of shop", list)
		}
		s.write(file, map[string]any{"base_uri": "/shop"})
		if _, err := s.owner.Restart(t.Context(), "shop", protocol.RestartRequest{}); err != nil {
			t.Fatal(err)
		}
		if list := s.refused(); len(list) != 0 {
			t.Errorf("got %+v after it was mended", list)
		}
	})
}

func TestRemovedAppIsRefusedNoLonger(t *testing.T) {
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
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		reply, err := s.owner.Reload(t.Context())
		if err != nil || len(reply.Refused) != 1 || len(s.refused()) != 1 {
			t.Fatalf("got %+v, %v and %+v, want shop in both", reply, err, s.refused())
		}
		if err := s.owner.Remove(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		if list := s.refused(); len(list) != 0 {
			t.Errorf("got %+v after it was removed", list)
		}
	})
}

func TestMissingAppsDirectoryRemovesNoApp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.write(filepath.Join(s.files.Fixed, "wiki.json"), map[string]any{"app_root": s.app("wiki", nil)})
		s.start(t.Context())
		defer s.stop()
		time.Sleep(10 * time.Second)
		if err := os.Rename(s.files.Fixed, s.files.Fixed+".away"); err != nil {
			t.Fatal(err)
		}
		reply, err := s.owner.Reload(t.Context())
		time.Sleep(time.Minute)
		if err != nil || len(reply.Refused) != 1 || reply.Refused[0].File != s.files.Fixed {
			t.Errorf("got %+v, %v, want the directory", reply, err)
		}
		if got := s.ready("wiki"); got != 1 {
			t.Errorf("%d are ready, want the one that ran", got)
		}
	})
}
