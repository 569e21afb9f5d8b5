package selftest

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
)

// A fake is the three daemons with one app, shop, and its page. What is killed
// comes back at the next question for it.
type fake struct {
	mu       sync.Mutex // guards all below
	victims  map[string]*exec.Cmd
	state    string
	restarts []protocol.RestartRequest
	refuse   bool // the restart
	retried  int
}

// victim starts a process that a test may kill.
func (f *fake) victim(t *testing.T, name string) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // it is killed
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.victims[name] == cmd {
			delete(f.victims, name)
		}
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-done })
	f.victims[name] = cmd
}

// pid is that of a victim, 1 for what has taken its place.
func (f *fake) pid(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if cmd := f.victims[name]; cmd != nil {
		return cmd.Process.Pid
	}
	return 1
}

func (f *fake) app() protocol.App {
	a := protocol.App{Name: "shop", State: f.state, Processes: []protocol.AppProcess{{InFlight: 3}, {}}}
	for i := range a.Processes {
		a.Processes[i].State = protocol.Ready
		a.Processes[i].Concurrency = 5
	}
	a.Processes[0].PID = f.pid("process")
	return a
}

func (f *fake) answer(daemon string, r *http.Request) (int, any) {
	switch r.Method + " " + r.URL.Path {
	case "GET /v1/info":
		return 200, protocol.Info{Program: "passenger-" + daemon, PID: f.pid(daemon)}
	case "GET /v1/apps/shop":
		return 200, f.app()
	case "GET /v1/apps":
		if daemon == "proxy" {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.retried += 2
			return 200, protocol.ProxyApps{Report: protocol.ProxyReport{Apps: map[string]protocol.AppReport{"shop": {Retried: uint64(f.retried)}}}}
		}
		return 200, protocol.AppList{Apps: []protocol.App{f.app()}, SpawnerUp: true, Proxies: []string{"p"}}
	case "POST /v1/apps/shop/restart":
		var req protocol.RestartRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			return 400, nil
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.restarts = append(f.restarts, req)
		if f.refuse {
			return 502, protocol.ErrorReply{Error: &protocol.Error{Code: protocol.CodeRestartFailed, Message: "it does not start"}}
		}
		return 200, protocol.RestartReply{App: "shop", Done: true}
	}
	return 404, protocol.ErrorReply{Error: &protocol.Error{Code: protocol.CodeUnknownRequest}}
}

func (f *fake) listen(t *testing.T, dir, daemon string) *control.Client {
	t.Helper()
	path := filepath.Join(dir, daemon)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, v := f.answer(daemon, r)
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	})}}
	s.Start()
	t.Cleanup(s.Close)
	return control.NewClient(path, "test", "1")
}

// newTest makes a test of a fake, which answers its page with a status.
func newTest(t *testing.T, status int) (*fake, Test) {
	t.Helper()
	dir, err := os.MkdirTemp("", "st")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	f := &fake{victims: map[string]*exec.Cmd{}, state: protocol.AppReady}
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(page.Close)
	server := Server{Pool: f.listen(t, dir, "pool"), Spawn: f.listen(t, dir, "spawn"), Proxy: f.listen(t, dir, "proxy"), App: "shop"}
	load := Load{Address: page.Listener.Addr().String(), Host: "shop.example.com", Path: "/", Rate: 50}
	return f, Test{Server: server, Load: load, Duration: 400 * time.Millisecond, Slow: time.Minute}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, fault := range append([]string{""}, Faults...) {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			f, test := newTest(t, 200)
			test.During = fault
			killed, isKill := strings.CutPrefix(fault, "kill-")
			if isKill {
				f.victim(t, killed)
			}
			r, err := test.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if r.App != "shop" || r.During != fault || r.Requests == 0 || r.Failed() || r.Recovered < 0 || r.Retried != 2 {
				t.Errorf("got %+v", r)
			}
			if isKill && f.pid(killed) != 1 {
				t.Errorf("%s still runs", killed)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			if restarts := len(f.restarts); fault == Restart && (restarts != 1 || !f.restarts[0].Wait) || fault != Restart && restarts != 0 {
				t.Errorf("restarts: %+v", f.restarts)
			}
		})
	}
}

func TestSelftestThatCannotBeMade(t *testing.T) {
	t.Parallel()
	f, test := newTest(t, 200)
	f.state = protocol.AppBackoff
	if _, err := test.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "not ready") {
		t.Errorf("an app that is not ready: %v", err)
	}
	f, test = newTest(t, 200)
	f.refuse, test.During = true, Restart
	if r, err := test.Run(t.Context()); err == nil || err.Error() != "it does not start" || r.Requests == 0 {
		t.Errorf("a restart that fails: %+v, %v", r, err)
	}
	test.Server.App = "shpo"
	if _, err := test.Run(t.Context()); err == nil {
		t.Error("an app that is not there was tested")
	}
}

func TestReportIsReadByPeople(t *testing.T) {
	t.Parallel()
	_, test := newTest(t, 503)
	test.Duration, test.Load.Rate = 50*time.Millisecond, 20
	r, err := test.Run(t.Context())
	if err != nil || !r.Failed() || r.Lost != r.Requests {
		t.Fatalf("got %+v, %v", r, err)
	}
	r = Report{
		App: "shop", During: KillProcess, Requests: 1000, Lost: 1, CutOff: 2, Retried: 3, Errors: 1, Slow: 4, SlowLimit: 1,
		P50: 0.002, P99: 0.25, Max: 1.5, Recovered: 0.75, Failures: []string{"lost: after 3ms: status 502 Bad Gateway"},
	}
	const want = `1000 requests of app "shop" during kill-process
  1 lost, 2 cut off in a killed process, 3 retried, 1 error
  p50 2ms, p99 250ms, longest 1.5s, 4 over 1s
  as before after 750ms
  lost: after 3ms: status 502 Bad Gateway
`
	if got := r.Text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	r.Recovered, r.During = -1, ""
	if got := r.Text(); !strings.Contains(got, "during nothing") || !strings.Contains(got, "the app is not as it was before") {
		t.Errorf("got\n%s", got)
	}
}
