package main

import (
	"encoding/json"
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
func ourProxy(l *lab, s site) (command, error) {
	dir, err := statedir.Open(filepath.Join(s.dir, "state"))
	if err != nil {
		return command{}, err
	}
	routes, err := json.Marshal(protocol.Routes{Version: 1, Apps: []protocol.Route{{
		App: "hello", Generation: 1, BaseURI: "/", QueueSize: 100, QueueTime: 60, ReadTimeout: 600, DrainTimeout: 30,
		Processes: []protocol.RouteProcess{{
			ID: "hello", PID: os.Getpid(), Address: "unix:" + filepath.Join(s.upstream, "upstream.sock"), DataProtocol: protocol.ProtocolHTTP,
		}},
	}}})
	if err != nil {
		return command{}, err
	}
	return command{args: []string{
		filepath.Join(l.bin, "passenger-proxy"), "serve", "--state-dir", dir.Path(), "--listen", "127.0.0.1:" + s.port,
	}}, os.WriteFile(dir.Routes(), routes, 0o600)
}
