package owner

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/secret"
)

// answerLimit bounds calls that wait for nothing but their turn.
const answerLimit = 5 * time.Second

// Register adds the pool's calls to a control socket.
func (o *Owner) Register(s *control.Server) {
	s.Healthy, s.Metrics = o.healthy, o.metrics
	s.Handle("GET "+protocol.PathApps, func(r *http.Request) (any, error) {
		list, err := o.Apps(r.Context())
		for i := range list.Apps {
			list.Apps[i] = public(list.Apps[i])
		}
		return list, err
	})
	s.Handle("GET "+protocol.PathApps+"/{name}", withName(func(r *http.Request, name string) (any, error) {
		return shown(o.App(r.Context(), name))
	}))
	s.Handle("PUT "+protocol.PathApps+"/{name}", withName(func(r *http.Request, name string) (any, error) {
		var c protocol.AppConfig
		if err := control.Decode(r, &c); err != nil {
			return nil, err
		}
		return shown(o.Put(r.Context(), name, c))
	}))
	s.Handle("DELETE "+protocol.PathApps+"/{name}", withName(func(r *http.Request, name string) (any, error) {
		return nil, o.Remove(r.Context(), name)
	}))
	s.Handle("POST "+protocol.PathApps+"/{name}/restart", withName(func(r *http.Request, name string) (any, error) {
		var req protocol.RestartRequest
		if r.ContentLength != 0 {
			if err := control.Decode(r, &req); err != nil {
				return nil, err
			}
		}
		return o.Restart(r.Context(), name, req)
	}))
	s.Handle("PATCH "+protocol.PathApps+"/{name}", withName(func(r *http.Request, name string) (any, error) {
		var patch map[string]json.RawMessage
		if err := control.Decode(r, &patch); err != nil {
			return nil, err
		}
		return shown(o.Patch(r.Context(), name, patch))
	}))
	s.Handle("POST "+protocol.PathApps+"/{name}/scale", withName(func(r *http.Request, name string) (any, error) {
		var req protocol.ScaleRequest
		if err := control.Decode(r, &req); err != nil {
			return nil, err
		}
		return shown(o.Scale(r.Context(), name, req.Instances))
	}))
	s.Handle("POST "+protocol.PathApps+"/{name}/pause", withName(func(r *http.Request, name string) (any, error) {
		var req protocol.PauseRequest
		if r.ContentLength != 0 {
			if err := control.Decode(r, &req); err != nil {
				return nil, err
			}
		}
		return shown(o.Pause(r.Context(), name, req))
	}))
	s.Handle("POST "+protocol.PathApps+"/{name}/resume", withName(func(r *http.Request, name string) (any, error) {
		return shown(o.Resume(r.Context(), name))
	}))
	s.Handle("POST "+protocol.PathReload, func(r *http.Request) (any, error) { return o.Reload(r.Context()) })
	s.Handle("DELETE "+protocol.PathProcesses+"/{id}", func(r *http.Request) (any, error) {
		id, err := control.ID(r, "id")
		if err != nil {
			return nil, err
		}
		return nil, o.Detach(r.Context(), id)
	})
	s.Handle("PUT "+protocol.PathProxies+"/{id}", func(r *http.Request) (any, error) {
		id, err := control.ID(r, "id")
		if err != nil {
			return nil, err
		}
		var report protocol.ProxyReport
		if err := control.Decode(r, &report); err != nil {
			return nil, err
		}
		if caller, ok := control.Caller(r); ok {
			o.keeper.heard(id, caller.PID, report.Leaving)
		}
		o.tell(r.Context(), func(now time.Time) { o.pool.Reported(now, id, report) })
		return nil, nil
	})
	s.HandleFeed(protocol.PathRoutes, &o.routes)
}

// public is what a caller sees of an app: its settings without secrets.
func public(a protocol.App) protocol.App {
	if a.Config.EnvVars != nil {
		a.Config.EnvVars = secret.Environment(a.Config.EnvVars)
	}
	return a
}

// shown is the reply with an app in it.
func shown(a protocol.App, err error) (any, error) { return public(a), err }

func withName(call func(*http.Request, string) (any, error)) control.Call {
	return func(r *http.Request) (any, error) {
		name, err := control.ID(r, "name")
		if err != nil {
			return nil, err
		}
		return call(r, name)
	}
}

func (o *Owner) list() (protocol.AppList, error) {
	ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
	defer cancel()
	return o.Apps(ctx)
}

func (o *Owner) healthy() error {
	list, err := o.list()
	if err == nil && !list.SpawnerUp {
		err = errors.New("the spawner is not heard")
	}
	return err
}

func (o *Owner) metrics(m *control.Metrics) {
	list, err := o.list()
	if err != nil {
		return // it is stopping
	}
	m.Gauge("passenger_spawner_up", "1 while the spawner is heard.", flag(list.SpawnerUp))
	m.Gauge("passenger_pool_max_processes", "Processes there may be in all.", float64(list.MaxPoolSize))
	m.Gauge("passenger_pool_proxies", "Proxies that report.", float64(len(list.Proxies)))
	m.Gauge("passenger_routes_version", "Version of the route table.", float64(o.routes.Get().Version))
	refusalMetrics(m, list)
	for _, a := range list.Apps {
		states := map[protocol.State]int{}
		for _, p := range a.Processes {
			states[p.State]++
		}
		for _, state := range []protocol.State{protocol.Starting, protocol.Ready, protocol.Draining, protocol.Stopping} {
			m.Gauge("passenger_app_processes", "Processes of an app.", float64(states[state]), "app", a.Name, "state", string(state))
		}
		m.Gauge("passenger_app_queued", "Requests that wait for a process.", float64(a.Queued), "app", a.Name)
		m.Gauge("passenger_app_oldest_wait_seconds", "Wait of the oldest of them.", a.OldestWait, "app", a.Name)
		m.Gauge("passenger_app_generation", "Generation of new processes.", float64(a.Generation), "app", a.Name)
		m.Gauge("passenger_app_paused", "1 while requests are kept from an app.", flag(a.Paused != ""), "app", a.Name)
		m.Gauge("passenger_app_restart_failed", "1 if the last restart failed or was taken back.", flag(wentWrong(a.Restart)), "app", a.Name)
		m.Gauge("passenger_app_failures", "Starts that failed in a row.", float64(a.Failures), "app", a.Name)
	}
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

func wentWrong(r *protocol.Restart) bool {
	return r != nil && (r.State == protocol.RestartFailed || r.State == protocol.RestartRolledBack)
}
