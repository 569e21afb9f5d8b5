package spawn

import (
	"log/slog"
	"slices"
	"strings"

	"passenger/lib/proc"
	"passenger/lib/spawn/diagnosis"
)

// listensElsewhere returns a function for [listener.Await] that warns once, while
// the app starts, that it listens on a port of its own. The warning comes soon,
// and not when the start timeout is over. The app may listen on $PORT as well a
// while later, so the start goes on. The port has to be there at two looks: a
// program may try one and leave it.
func (a *attempt) listensElsewhere() func(ports []int) bool {
	var before []int
	return func(ports []int) bool {
		if slices.Contains(ports, a.port) {
			return true
		}
		if len(ports) == 0 || !slices.Equal(ports, before) {
			before = ports
			return false
		}
		slog.Warn("app listens on a port of its own, which is not used: a second process could not listen there",
			"app", a.req.App, "pid", a.p.PID(), "port", diagnosis.Numbers(ports), "wanted", a.port,
			"hint", "have it take the port from the environment variable PORT, or serve on descriptor 3 (LISTEN_FDS)")
		return true
	}
}

// tellOpen warns once in a generation that the app listens on all addresses, where
// clients reach it past the proxy.
func (g *generation) tellOpen(pid, port int, address string) {
	if g == nil || !strings.HasPrefix(address, "tcp:") {
		return
	}
	for _, l := range proc.Listeners(pid) {
		if int(l.Port()) != port || !l.Addr().IsUnspecified() {
			continue
		}
		g.mu.Lock()
		told := g.toldOpen
		g.toldOpen = true
		g.mu.Unlock()
		if !told {
			slog.Warn("app listens on all addresses of this machine, so that others reach it past the proxy",
				"app", g.app, "pid", pid, "address", l.String(), "hint", "have it listen on 127.0.0.1, or serve on descriptor 3 (LISTEN_FDS)")
		}
		return
	}
}
