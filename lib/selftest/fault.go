package selftest

import (
	"context"
	"fmt"
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

// A wound is what was done to the server.
type wound struct {
	cut    Cut
	pid    int             // that was killed, 0 if none was
	daemon *control.Client // whose it was, nil if it was a process of the app
}

// do does one thing to the server.
func (s Server) do(ctx context.Context, fault string) (wound, error) {
	switch fault {
	case Restart:
		path := protocol.PathApps + "/" + s.App + "/restart"
		return wound{}, s.Pool.Call(ctx, "POST", path, protocol.RestartRequest{Wait: true, Timeout: recoverTime.Seconds()}, nil)
	case KillPool:
		return kill(ctx, s.Pool)
	case KillSpawn:
		return kill(ctx, s.Spawn)
	case KillProcess:
		return s.killProcess(ctx)
	}
	return wound{}, nil
}

// kill sends SIGKILL to a daemon.
func kill(ctx context.Context, daemon *control.Client) (wound, error) {
	var info protocol.Info
	if err := daemon.Call(ctx, "GET", protocol.PathInfo, nil, &info); err != nil {
		return wound{}, err
	}
	if err := syscall.Kill(info.PID, syscall.SIGKILL); err != nil {
		return wound{}, fmt.Errorf("kill process %d: %w", info.PID, err)
	}
	return wound{pid: info.PID, daemon: daemon}, nil
}

// healed says that another process or daemon has taken the place of the killed one.
func (w wound) healed(ctx context.Context, a protocol.App) bool {
	if w.daemon == nil {
		return !slices.ContainsFunc(a.Processes, func(p protocol.AppProcess) bool { return w.pid > 0 && p.PID == w.pid })
	}
	var info protocol.Info
	return w.daemon.Call(ctx, "GET", protocol.PathInfo, nil, &info) == nil && info.PID != w.pid
}

// killProcess sends SIGKILL to the busiest process of the app.
func (s Server) killProcess(ctx context.Context) (wound, error) {
	a, err := s.app(ctx)
	if err != nil {
		return wound{}, err
	}
	ready := slices.DeleteFunc(a.Processes, func(p protocol.AppProcess) bool { return p.State != protocol.Ready })
	if len(ready) == 0 {
		return wound{}, fmt.Errorf("app %q has no process to kill", s.App)
	}
	p := slices.MaxFunc(ready, func(x, y protocol.AppProcess) int { return x.InFlight - y.InFlight })
	cut := Cut{At: time.Now(), Most: p.Concurrency}
	if p.Concurrency == 0 {
		cut.Most = -1
	}
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		return wound{}, fmt.Errorf("kill process %d: %w", p.PID, err)
	}
	return wound{cut: cut, pid: p.PID}, nil
}

func (s Server) app(ctx context.Context) (a protocol.App, err error) {
	err = s.Pool.Call(ctx, "GET", protocol.PathApps+"/"+s.App, nil, &a)
	return a, err
}

// retried is how many requests of the app the proxy has retried since it
// started.
func (s Server) retried(ctx context.Context) (int, error) {
	var r protocol.ProxyApps
	err := s.Proxy.Call(ctx, "GET", protocol.PathApps, nil, &r)
	return int(r.Report.Apps[s.App].Retried), err
}
