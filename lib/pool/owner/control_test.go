package owner

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/secret"
	"passenger/lib/unixsock"
)

// listen serves a control socket with the calls that register adds.
func listen(t *testing.T, program string, register func(*control.Server)) *control.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "po") // short, for the socket's path
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := unixsock.Listen(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	s := &control.Server{Program: program, Release: "1"}
	register(s)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		os.RemoveAll(dir)
	})
	return control.NewClient(path, "test", "1")
}

// register serves the fake spawner as passenger-spawn is served.
func (f *fakeSpawner) register(s *control.Server) {
	process := protocol.PathProcesses + "/{id}"
	s.Register(
		control.Call{Method: "GET", Path: protocol.PathProcesses, Access: protocol.Reads, Feed: &f.watch},
		control.Call{Method: "POST", Path: protocol.PathProcesses, Access: protocol.Changes, Handler: func(r *control.Request) (any, error) {
			var req protocol.SpawnRequest
			if err := control.Decode(r, &req); err != nil {
				return nil, err
			}
			return f.Spawn(context.WithoutCancel(r.Context()), req)
		}},
		control.Call{Method: "DELETE", Path: process, Access: protocol.Changes, Handler: control.Named("id", func(r *control.Request, id string) (any, error) {
			return nil, f.Stop(r.Context(), id, protocol.StopRequest{})
		})},
	)
}

// TestSockets runs a pool as passenger-pool does, between a spawner's socket
// and its own.
func TestSockets(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.spawner.startTime, s.spawner.stopTime = 10*time.Millisecond, 10*time.Millisecond
	o, err := New(NewRemote(listen(t, "passenger-spawn", s.spawner.register)), s.files, s.limits, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	done := make(chan struct{})
	go func() {
		o.Run(ctx)
		close(done)
	}()
	defer func() {
		stop()
		<-done
	}()
	c := listen(t, "passenger-pool", o.Register)
	call := func(method, path string, in, out any) {
		t.Helper()
		if err := c.Call(ctx, method, path, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	tables := make(chan protocol.Routes, 100)
	watching, unwatch := context.WithCancel(ctx)
	defer unwatch()
	go func() {
		_ = control.Watch(watching, c, protocol.PathRoutes, func(r protocol.Routes) error {
			tables <- r
			report := protocol.ProxyReport{PID: 1, RoutesVersion: r.Version}
			return c.Call(watching, "PUT", protocol.PathProxies+"/1-a", report, nil)
		})
	}()

	misspelt := json.RawMessage(`{"app_root": "/srv/shop", "min_instancez": 2}`)
	if err := c.Call(ctx, "PUT", protocol.PathApps+"/shop", misspelt, nil); !has(err, protocol.CodeInvalidApp) || !strings.Contains(err.Error(), `did you mean "min_instances"?`) {
		t.Errorf("a misspelt key: %v", err)
	}
	config := json.RawMessage(`{"app_root": "` + s.app("shop", nil) + `", "min_instances": 2,
		"envvars": {"API_TOKEN": "told to nobody", "LEVEL": "3"}}`)
	var a protocol.App
	call("PUT", protocol.PathApps+"/shop", config, &a)
	if a.Name != "shop" || a.Config.BaseURI != "/shop" {
		t.Errorf("added %+v", a)
	}
	for r := range tables {
		if len(r.Apps) == 1 && len(r.Apps[0].Processes) == 2 {
			break
		}
	}
	var list protocol.AppList
	call("GET", protocol.PathApps, nil, &list)
	for _, a := range append(list.Apps, a) {
		if env := a.Config.EnvVars; env["API_TOKEN"] != secret.Hidden || env["LEVEL"] != "3" {
			t.Errorf("got variables %v, want the token hidden", env)
		}
	}
	if len(list.Apps) != 1 || len(list.Proxies) != 1 || !list.SpawnerUp {
		t.Errorf("listed %+v", list)
	}
	var reply protocol.RestartReply
	call("POST", protocol.PathApps+"/shop/restart", nil, &reply)
	if reply.Generation != 2 || reply.Done {
		t.Errorf("restart without wait: %+v", reply)
	}
	// A body with a key that only a newer program knows.
	call("POST", protocol.PathApps+"/shop/restart", json.RawMessage(`{"wait": true, "grease": {"x": 1}}`), &reply)
	if reply.Generation != 3 || !reply.Done {
		t.Errorf("restart with wait: %+v", reply)
	}
	var health protocol.Health
	call("GET", protocol.PathHealth, nil, &health)
	if !health.OK {
		t.Errorf("health: %+v", health)
	}
	if err := c.Call(ctx, "GET", protocol.PathApps+"/shpo", nil, nil); !has(err, protocol.CodeUnknownApp) || !strings.Contains(err.Error(), `"shop"`) {
		t.Errorf("unknown app: %v", err)
	}
	if err := c.Call(ctx, "PUT", protocol.PathApps+"/other", protocol.AppConfig{Name: "third"}, nil); !has(err, protocol.CodeBadRequest) {
		t.Errorf("two names: %v", err)
	}
	call("DELETE", protocol.PathApps+"/shop", nil, nil)
	if got := s.spawner.living("shop"); got != 0 {
		t.Errorf("%d live after removal", got)
	}
}
