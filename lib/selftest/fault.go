package selftest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
)

// What can be done to the server during a test.
const (
	Restart     = "restart"
	KillPool    = "kill-pool"
	KillSpawn   = "kill-spawn"
	KillProcess = "kill-process"
)

// Faults are all of them.
var Faults = []string{Restart, KillPool, KillSpawn, KillProcess}

// A Server is the three daemons, and the app under test.
type Server struct {
	Pool, Spawn, Proxy *control.Client
	App                string
}

// do does one thing to the server.
func (s Server) do(ctx context.Context, fault string) (Cut, error) {
	switch fault {
	case Restart:
		path := protocol.PathApps + "/" + s.App + "/restart"
		return Cut{}, s.Pool.Call(ctx, http.MethodPost, path, protocol.RestartRequest{Wait: true, Timeout: recoverTime.Seconds()}, nil)
	case KillPool:
		return Cut{}, kill(ctx, s.Pool)
	case KillSpawn:
		return Cut{}, kill(ctx, s.Spawn)
	case KillProcess:
		return s.killProcess(ctx)
	}
	return Cut{}, nil
}

// kill sends SIGKILL to a daemon.
func kill(ctx context.Context, daemon *control.Client) error {
	var info protocol.Info
	if err := daemon.Call(ctx, http.MethodGet, protocol.PathInfo, nil, &info); err != nil {
		return err
	}
	if err := syscall.Kill(info.PID, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill process %d: %w", info.PID, err)
	}
	return nil
}

// killProcess sends SIGKILL to the busiest process of the app.
func (s Server) killProcess(ctx context.Context) (Cut, error) {
	a, err := s.app(ctx)
	if err != nil {
		return Cut{}, err
	}
	ready := slices.DeleteFunc(a.Processes, func(p protocol.AppProcess) bool { return p.State != protocol.Ready })
	if len(ready) == 0 {
		return Cut{}, fmt.Errorf("app %q has no process to kill", s.App)
	}
	p := slices.MaxFunc(ready, func(x, y protocol.AppProcess) int { return x.InFlight - y.InFlight })
	cut := Cut{At: time.Now(), Most: p.Concurrency}
	if p.Concurrency == 0 {
		cut.Most = -1
	}
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		return Cut{}, fmt.Errorf("kill process %d: %w", p.PID, err)
	}
	return cut, nil
}

func (s Server) app(ctx context.Context) (a protocol.App, err error) {
	err = s.Pool.Call(ctx, http.MethodGet, protocol.PathApps+"/"+s.App, nil, &a)
	return a, err
}

// retried is how many requests of the app the proxy has retried since it
// started.
func (s Server) retried(ctx context.Context) (int, error) {
	var r protocol.ProxyApps
	err := s.Proxy.Call(ctx, http.MethodGet, protocol.PathApps, nil, &r)
	return int(r.Report.Apps[s.App].Retried), err
}
