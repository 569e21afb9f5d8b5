package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// ours is what "passenger start" runs: all four programs.
func ours(app string, processes int) func(*lab, site) (command, error) {
	n := strconv.Itoa(processes)
	return func(l *lab, s site) (command, error) {
		return command{args: []string{
			filepath.Join(l.root, "lib/dist/passenger"), "start", l.app(app), "--address=127.0.0.1", "--port=" + s.port,
			"--environment=production", "--max-pool-size=" + n, "--min-instances=" + n,
			"--state-dir=" + filepath.Join(s.dir, "state"),
		}}, nil
	}
}

// ourProxy is the proxy alone, with a route table whose pool is gone.
func ourProxy(l *lab, s site) (command, error) { return ourProxyWith()(l, s) }

// ourProxyWith is that with further flags. It runs in its directory.
func ourProxyWith(flags ...string) func(*lab, site) (command, error) {
	return func(l *lab, s site) (command, error) {
		return proxyWith(l, s, []*protocol.Route{helloRoute("hello", s)}, flags)
	}
}

// ourProxyOf is that with so many apps, each with a name and a base URI.
func ourProxyOf(apps int) func(*lab, site) (command, error) {
	return func(l *lab, s site) (command, error) {
		routes := []*protocol.Route{helloRoute("hello", s)} // for who asks without a name
		for i := range apps {
			r := helloRoute(fmt.Sprintf("app-%d", i), s)
			r.ServerNames = []string{r.App + ".example.com"}
			routes = append(routes, r)
		}
		return proxyWith(l, s, routes, nil)
	}
}

func helloRoute(app string, s site) *protocol.Route {
	return &protocol.Route{
		App: app, Generation: 1, BaseURI: "/", QueueSize: 100, QueueTime: 60, ReadTimeout: 600, DrainTimeout: 30,
		Processes: []protocol.RouteProcess{{
			ID: app, PID: os.Getpid(), Address: "unix:" + filepath.Join(s.upstream, "upstream.sock"), DataProtocol: protocol.ProtocolHTTP,
		}},
	}
}

func proxyWith(l *lab, s site, routes []*protocol.Route, flags []string) (command, error) {
	dir, err := statedir.Open(filepath.Join(s.dir, "state"))
	if err != nil {
		return command{}, err
	}
	table, err := json.Marshal(protocol.Routes{Version: 1, Apps: routes})
	if err != nil {
		return command{}, err
	}
	args := []string{filepath.Join(l.bin, "passenger-proxy"), "serve", "--state-dir", dir.Path(), "--listen", s.scheme + "127.0.0.1:" + s.port}
	return command{dir: s.dir, args: append(args, flags...)}, os.WriteFile(dir.Routes(), table, 0o600)
}
