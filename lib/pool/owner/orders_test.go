package owner

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
)

// proxy reports of each table at once that it uses it, as a proxy does, with
// what the test has it say besides.
func (s *site) proxy(ctx context.Context, report func() protocol.ProxyReport) {
	go func() {
		for ctx.Err() == nil {
			routes, changed := s.owner.routes.Wait()
			r := report()
			r.RoutesVersion = routes.Version
			s.owner.tell(ctx, func(now time.Time) { s.owner.pool.Reported(now, "proxy", r) })
			select {
			case <-changed:
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}()
}

func TestOrdersAreInTheTableWhenTheyAreAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.start(t.Context())
		defer s.stop()
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		s.proxy(ctx, func() protocol.ProxyReport { return protocol.ProxyReport{} })
		time.Sleep(2 * time.Second)
		four := 4
		a, err := s.owner.Scale(ctx, "shop", &four)
		if err != nil || a.Instances == nil || *a.Instances != 4 || *s.table().Apps[0].Instances != 4 {
			t.Fatalf("scale: got %+v, %v, and the table %+v", a.Instances, err, s.table().Apps[0])
		}
		time.Sleep(2 * time.Second)
		if got := s.ready("shop"); got != 4 {
			t.Errorf("%d are ready, want 4", got)
		}
		if a, err = s.owner.Scale(ctx, "shop", nil); err != nil || a.Instances != nil || s.table().Apps[0].Instances != nil {
			t.Errorf("scale to the settings: got %+v, %v", a.Instances, err)
		}
		if a, err = s.owner.Pause(ctx, "shop", protocol.PauseRequest{Page: true}); err != nil || a.Paused != protocol.PausedPage || s.table().Apps[0].Paused != protocol.PausedPage {
			t.Errorf("pause: got %q, %v", a.Paused, err)
		}
		if a, err = s.owner.Resume(ctx, "shop"); err != nil || a.Paused != "" || s.table().Apps[0].Paused != "" {
			t.Errorf("resume: got %q, %v", a.Paused, err)
		}
		seven := 7
		if _, err := s.owner.Scale(ctx, "shop", &seven); !has(err, protocol.CodeConflict) {
			t.Errorf("scale beyond the pool: %v", err)
		}
		if _, err := s.owner.Pause(ctx, "shpo", protocol.PauseRequest{}); !has(err, protocol.CodeUnknownApp) || !strings.Contains(err.Error(), `"shop"`) {
			t.Errorf("pause of an app that is not there: %v", err)
		}
		if _, err := s.owner.Resume(ctx, "shpo"); !has(err, protocol.CodeUnknownApp) {
			t.Errorf("resume of an app that is not there: %v", err)
		}
	})
}

func TestPauseWaitsForRequestsInFlight(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"they end", "they do not", "it is resumed"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, "shop")
				s.start(t.Context())
				defer s.stop()
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				time.Sleep(2 * time.Second)
				id, begun := s.view("shop").Processes[0].ID, time.Now()
				s.proxy(ctx, func() protocol.ProxyReport {
					busy := 1
					if end == "they end" && time.Since(begun) > 3*time.Second {
						busy = 0
					}
					return protocol.ProxyReport{Processes: map[string]protocol.ProcessReport{id: {InFlight: busy}}}
				})
				if end == "it is resumed" {
					time.AfterFunc(3*time.Second, func() { _, _ = s.owner.Resume(ctx, "shop") })
				}
				_, err := s.owner.Pause(ctx, "shop", protocol.PauseRequest{Wait: true, Timeout: 10})
				took := time.Since(begun)
				switch end {
				case "they end":
					if err != nil || took < 3*time.Second || took > 5*time.Second {
						t.Errorf("got %v after %v", err, took)
					}
				case "they do not":
					if !has(err, protocol.CodeTimeout) || took < 10*time.Second {
						t.Errorf("got %v after %v, want a timeout", err, took)
					}
				default:
					if !has(err, protocol.CodeConflict) {
						t.Errorf("got %v, want a conflict", err)
					}
				}
			})
		})
	}
}

func TestDetachByIDAndByPID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.files.Settings = []string{"min_instances=2"}
		s.start(t.Context())
		defer s.stop()
		time.Sleep(10 * time.Second)
		before := s.view("shop").Processes
		for _, name := range []string{before[0].ID, strconv.Itoa(before[1].PID)} {
			if err := s.owner.Detach(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Second)
		after := s.view("shop").Processes
		if len(after) != 2 || s.ready("shop") != 2 || after[0].ID == before[0].ID || after[1].ID == before[1].ID {
			t.Errorf("before %v, after %v: both are to be replaced", before, after)
		}
		if err := s.owner.Detach(t.Context(), "99999"); !has(err, protocol.CodeUnknownProcess) {
			t.Errorf("a process that is not there: %v", err)
		}
	})
}

func TestPatchChangesWhatWasAddedAtRunTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.start(t.Context())
		defer s.stop()
		time.Sleep(time.Second)
		two := 2
		if _, err := s.owner.Put(t.Context(), "blog", protocol.AppConfig{AppRoot: s.app("blog", nil), MinInstances: &two, MaxInstances: 5}); err != nil {
			t.Fatal(err)
		}
		patch := func(name, body string) (protocol.App, error) {
			var keys map[string]json.RawMessage
			if err := json.Unmarshal([]byte(body), &keys); err != nil {
				t.Fatal(err)
			}
			return s.owner.Patch(t.Context(), name, keys)
		}
		a, err := patch("blog", `{"min_instances": 3, "max_instances": null}`)
		if err != nil || *a.Config.MinInstances != 3 || a.Config.MaxInstances != 0 {
			t.Errorf("got %+v, %v", a.Config, err)
		}
		if _, err := patch("blog", `{"min_instancez": 3}`); !has(err, protocol.CodeInvalidApp) || !strings.Contains(err.Error(), "min_instances") {
			t.Errorf("a misspelt key: %v", err)
		}
		if _, err := patch("shop", `{"min_instances": 3}`); !has(err, protocol.CodeConflict) {
			t.Errorf("an app that was named at the start: %v", err)
		}
		if _, err := patch("shpo", `{}`); !has(err, protocol.CodeUnknownApp) {
			t.Errorf("an app that is not there: %v", err)
		}
	})
}

func TestMetricsTellOfEachApp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "shop")
		s.start(t.Context())
		defer s.stop()
		time.Sleep(2 * time.Second)
		s.report(protocol.ProxyReport{Apps: map[string]protocol.AppReport{"shop": {Queued: 2, OldestWait: 0.05}}})
		m := &control.Metrics{}
		s.owner.metrics(m)
		for _, want := range []string{
			"passenger_spawner_up 1\n", "passenger_pool_max_processes 6\n", "passenger_pool_proxies 1\n",
			`passenger_app_processes{app="shop",state="ready"} 1` + "\n", `passenger_app_queued{app="shop"} 2` + "\n",
			`passenger_app_paused{app="shop"} 0` + "\n", `passenger_app_settings_refused{app="shop"} 0` + "\n",
			`passenger_app_processes_min{app="shop"} 1` + "\n", `passenger_app_processes_max{app="shop"} 6` + "\n",
			`passenger_app_processes_old{app="shop"} 0` + "\n", `passenger_app_restarts_total{app="shop",result="done"} 0` + "\n",
		} {
			if text := string(m.Text()); !strings.Contains(text, want) {
				t.Errorf("%q is missing in\n%s", want, text)
			}
		}
		// So a thousand apps have half of the lines that a scrape may have.
		if n := strings.Count(string(m.Text()), `app="shop"`); n > 30 {
			t.Errorf("an app has %d samples, want 30 at most", n)
		}
	})
}

func TestATenantTakesNoHostOfAnothers(t *testing.T) {
	t.Parallel()
	all := claims{
		"shop":  {hosts: []string{"shop.example.com", "*.example.org"}, base: "/", owner: 1001},
		"admin": {hosts: []string{"intra.example.com"}, base: "/admin", owner: 1001},
		"other": {hosts: []string{"other.example.com"}, base: "/", own: true, author: 1003, owner: 1003},
	}
	for _, tt := range []struct {
		name  string
		claim claim
		taken string // the app that it would take it from, empty for none
	}{
		{"another's host", claim{hosts: []string{"shop.example.com"}, base: "/x", own: true, author: 1002}, "shop"},
		{"a host within another's wildcard", claim{hosts: []string{"a.example.org"}, base: "/", own: true, author: 1002}, "shop"},
		{"a host that is nobody's", claim{hosts: []string{"example.net"}, base: "/", own: true, author: 1002}, ""},
		{"a path beside another's", claim{hosts: []string{"intra.example.com"}, base: "/administrator", own: true, author: 1002}, ""},
		{"a path within another's", claim{hosts: []string{"intra.example.com"}, base: "/admin/x", own: true, author: 1002}, "admin"},
		{"one's own host", claim{hosts: []string{"shop.example.com"}, base: "/x", own: true, author: 1001}, ""},
		{"the administrator's word", claim{hosts: []string{"shop.example.com"}, base: "/x", author: 1002}, ""},
		{"root's word", claim{hosts: []string{"shop.example.com"}, base: "/x", own: true}, ""},
		{"a host that another tenant claims too", claim{hosts: []string{"other.example.com"}, base: "/x", own: true, author: 1002}, ""},
	} {
		err := all.check("new", tt.claim)
		if tt.taken == "" && err != nil || tt.taken != "" && (!has(err, protocol.CodeConflict) || !strings.Contains(err.Error(), strconv.Quote(tt.taken))) {
			t.Errorf("%s: got %v, want a conflict with %q", tt.name, err, tt.taken)
		}
	}
}
