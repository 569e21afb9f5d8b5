package spawn

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
	"passenger/lib/unixsock"
)

// served serves a spawner's calls until the test ends.
func served(t *testing.T) (*Spawner, *control.Client) {
	t.Helper()
	dir := shortDir(t)
	s, _ := newSpawner(t, dir)
	l, err := unixsock.Listen(dir.Socket(statedir.Spawn), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := &control.Server{Program: "passenger-spawn", Release: "test"}
	s.Register(ctx, server)
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, control.NewClient(dir.Socket(statedir.Spawn), "test", "test")
}

func TestControlCalls(t *testing.T) {
	t.Parallel()
	s, client := served(t)
	watched := make(chan protocol.ProcessList, 64)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		_ = control.Watch(ctx, client, protocol.PathProcesses, func(l protocol.ProcessList) error {
			watched <- l
			return nil
		})
	}()
	first := <-watched

	var r protocol.Process
	if err := client.Call(ctx, http.MethodPost, protocol.PathProcesses, request("abcd", appConfig("ready")), &r); err != nil {
		t.Fatal(err)
	}
	if r.State != protocol.Ready || r.PID == 0 {
		t.Errorf("got %+v", r)
	}
	var list protocol.ProcessList
	if err := client.Call(ctx, http.MethodGet, protocol.PathProcesses+"?usage=1", nil, &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Processes) != 1 || list.Processes[0].Usage == nil || list.Processes[0].Usage.RSS <= 0 || list.Version <= first.Version {
		t.Errorf("got %+v", list)
	}
	if err := client.Call(ctx, http.MethodDelete, protocol.PathProcesses+"/abcd", nil, &r); err != nil {
		t.Fatal(err)
	}
	if r.State != protocol.Exited || r.Exit == nil {
		t.Errorf("after DELETE: got %+v", r)
	}
	// The list that a caller gets next, and the last that a watcher gets,
	// show the end.
	list = protocol.ProcessList{}
	if err := client.Call(ctx, http.MethodGet, protocol.PathProcesses, nil, &list); err != nil {
		t.Fatal(err)
	}
	if list.Processes[0].State != protocol.Exited || list.Processes[0].Usage != nil {
		t.Errorf("got %+v", list)
	}
	states := map[protocol.State]bool{}
	for l := range watched {
		if len(l.Processes) > 0 {
			states[l.Processes[0].State] = true
		}
		if l.Version == list.Version {
			break
		}
	}
	if !states[protocol.Exited] {
		t.Errorf("the watch showed %v", states)
	}
	m := &control.Metrics{}
	s.metrics(m)
	if want := `passenger_processes{app="app",state="exited"} 1`; !strings.Contains(string(m.Text()), want) {
		t.Errorf("metrics: got %s, want %s in it", m.Text(), want)
	}
}

func TestControlErrors(t *testing.T) {
	t.Parallel()
	_, client := served(t)
	for _, tt := range []struct {
		method, path string
		in           any
		want         protocol.Code
	}{
		{http.MethodPost, protocol.PathProcesses, "nonsense", protocol.CodeBadRequest},
		{http.MethodPost, protocol.PathProcesses, protocol.SpawnRequest{ID: "x"}, protocol.CodeBadRequest},
		{http.MethodPost, protocol.PathProcesses, request("abcd", appConfig("exit 3")), protocol.CodeSpawnFailed},
		{http.MethodDelete, protocol.PathProcesses + "/none", nil, protocol.CodeUnknownProcess},
		{http.MethodDelete, protocol.PathProcesses + "/..%2f..", nil, protocol.CodeBadRequest},
		{http.MethodGet, "/v1/nothing", nil, protocol.CodeUnknownRequest},
	} {
		err := client.Call(t.Context(), tt.method, tt.path, tt.in, nil)
		var pe *protocol.Error
		if !errors.As(err, &pe) || pe.Code != tt.want {
			t.Errorf("%s %s: got %v, want %s", tt.method, tt.path, err, tt.want)
		}
		if tt.want == protocol.CodeSpawnFailed && (pe.Details == nil || pe.Details.Exit == nil || pe.Details.Exit.Status != 3) {
			t.Errorf("got details %+v", pe.Details)
		}
	}
}

func TestCallerGoneProcessStays(t *testing.T) {
	t.Parallel()
	s, client := served(t)
	gate := t.TempDir() + "/go"
	if err := unix.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	config := appConfig("ready-when " + gate)
	ctx, cancel := context.WithCancel(t.Context())
	called := make(chan error, 1)
	go func() {
		called <- client.Call(ctx, http.MethodPost, protocol.PathProcesses, request("abcd", config), nil)
	}()
	awaitState(t, s, "abcd", protocol.Starting)
	cancel()
	<-called
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	awaitState(t, s, "abcd", protocol.Ready)
}
