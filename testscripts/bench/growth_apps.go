package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// growApps asks each of many apps once, and leaves them alone then. Those that it
// did not get to in time are said to be missing.
func growApps(ctx context.Context, l *lab) (figures []figure, err error) {
	s, err := contestant{name: "ours", start: oursOfMany}.run(l, "")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := s.awaitApps(ctx); err != nil {
		return nil, err
	}
	before := s.daemonTimes()
	began, limit := time.Now(), time.Now().Add(growthLimit)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex // guards next, took and errs
		next  int
		took  []time.Duration
		errs  []error
		claim = func() (app int, ok bool) {
			mu.Lock()
			defer mu.Unlock()
			next++
			return next - 1, next <= manyApps && time.Now().Before(limit) && ctx.Err() == nil
		}
	)
	for range manyAtOnce {
		wg.Go(func() {
			for app, ok := claim(); ok; app, ok = claim() {
				asked := time.Now()
				err := s.askApp(ctx, app)
				mu.Lock()
				if err != nil {
					errs = append(errs, err)
				} else {
					took = append(took, time.Since(asked))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	all := time.Since(began)
	after := s.daemonTimes()
	select {
	case <-time.After(idleTime):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if len(took) == 0 {
		return nil, errors.Join(append(errs, errors.New("no app was started"))...)
	}
	each := func(program string) float64 {
		return milliseconds(after[program]-before[program]) / float64(len(took))
	}
	figures = []figure{
		{name: "apps that answered", unit: "", format: "%.0f", value: float64(len(took)), before: fmt.Sprintf("of %d in %v at most", manyApps, growthLimit)},
		{name: "starts a second", unit: "/s", format: "%.1f", value: float64(len(took)) / all.Seconds(), before: "once 8.3"},
		{name: "a first request, median", unit: "ms", format: "%.0f", value: milliseconds(medianOf(took))},
		{name: "CPU of spawner and pool per start", unit: "ms", format: "%.1f", value: each("passenger-spawn") + each("passenger-pool")},
		{name: "of that of the pool", unit: "ms", format: "%.1f", value: each("passenger-pool")},
		{name: "CPU of the proxy per start", unit: "ms", format: "%.1f", value: each("passenger-proxy")},
		{name: "memory of the spawner afterwards, PSS", unit: "MB", format: "%.1f", value: pssOf(s, "passenger-spawn"), before: "once 157"},
		{name: "memory of the pool afterwards, PSS", unit: "MB", format: "%.1f", value: pssOf(s, "passenger-pool")},
		{name: "memory of the proxy afterwards, PSS", unit: "MB", format: "%.1f", value: pssOf(s, "passenger-proxy")},
	}
	if len(errs) > 0 {
		return figures, fmt.Errorf("%d apps did not answer; the first: %w", len(errs), errs[0])
	}
	return figures, nil
}

// daemonTimes is the CPU time of each daemon.
func (s *server) daemonTimes() map[string]time.Duration {
	times := map[string]time.Duration{}
	for _, program := range []string{"passenger-spawn", "passenger-pool", "passenger-proxy"} {
		times[program] = costOf(s.pids(), program).cpu
	}
	return times
}

func pssOf(s *server, program string) float64 {
	return float64(costOf(s.pids(), program).pss) / 1e6
}

// oursOfMany is ours with a file for each app, which is this program.
func oursOfMany(l *lab, s site) (command, error) {
	exe, err := os.Executable()
	if err != nil {
		return command{}, err
	}
	apps, root := filepath.Join(s.dir, "apps"), filepath.Join(s.dir, "root")
	if err := errors.Join(os.Mkdir(apps, 0o700), os.Mkdir(root, 0o700)); err != nil {
		return command{}, err
	}
	for i := range manyApps {
		b, err := json.Marshal(map[string]any{
			"name": appName(i), "app_root": root, "app_start_command": exe + " -hello",
			"server_names": []string{appName(i) + ".example.com"}, "min_instances": 0, "max_instances": 1, "pool_idle_time": 0,
		})
		if err != nil {
			return command{}, err
		}
		if err := os.WriteFile(filepath.Join(apps, appName(i)+".json"), b, 0o600); err != nil {
			return command{}, err
		}
	}
	return command{args: []string{
		filepath.Join(l.root, "lib/dist/passenger"), "start", "--address=127.0.0.1", "--port=" + s.port,
		"--apps-dir=" + apps, "--max-pool-size=" + strconv.Itoa(manyApps), "--state-dir=" + s.dir + "/state",
	}}, nil
}

func appName(i int) string { return fmt.Sprintf("app-%d", i) }

// awaitApps waits until the proxy knows the apps.
func (s *server) awaitApps(ctx context.Context) error {
	pool := control.NewClient(s.stateDir().Socket(statedir.Pool), "bench", "")
	proxy := control.NewClient(s.stateDir().Socket(statedir.Proxy), "bench", "")
	for limit := time.Now().Add(startLimit); ; {
		var routes protocol.Routes
		var known protocol.ProxyApps
		err := errors.Join(pool.Call(ctx, "GET", protocol.PathRoutes, nil, &routes), proxy.Call(ctx, "GET", protocol.PathApps, nil, &known))
		if err == nil && len(routes.Apps) == manyApps && known.RoutesVersion >= routes.Version {
			return nil
		}
		if time.Now().After(limit) || ctx.Err() != nil {
			return fmt.Errorf("the pool has %d of %d apps after %v (%v); it wrote:\n%s", len(routes.Apps), manyApps, startLimit, err, s.tail())
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-s.exited:
			return fmt.Errorf("it ended instead of serving; it wrote:\n%s", s.tail())
		}
	}
}

// askApp makes the first request to an app.
func (s *server) askApp(ctx context.Context, i int) error {
	r, err := http.NewRequestWithContext(ctx, "GET", s.url+"/", nil)
	if err != nil {
		return err
	}
	r.Host = appName(i) + ".example.com"
	reply, err := client.Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		page, _ := io.ReadAll(io.LimitReader(reply.Body, 1<<20)) // for what it says
		return fmt.Errorf("%s answers %s: %s", appName(i), reply.Status, clip(string(page)))
	}
	return nil
}

// serveHello serves the socket that it was handed, as small as a program gets.
func serveHello() error {
	const handed = 3 // where LISTEN_FDS begins
	f := os.NewFile(handed, "listener")
	l, err := net.FileListener(f)
	if err != nil {
		return err
	}
	f.Close()
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, hello) }))
}
