package owner

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"passenger/lib/protocol"
)

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
