package spawn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"

	"passenger/lib/control"
	"passenger/lib/output"
	"passenger/lib/protocol"
	"passenger/lib/spawn/diagnosis"
)

// Register adds the spawner's calls to a control server. Spawns are bound to
// ctx and not to their request: a caller that goes away finds the process in
// the list later.
func (s *Spawner) Register(ctx context.Context, server *control.Server) {
	server.Handle("POST "+protocol.PathLogs, func(*http.Request) (any, error) { return nil, s.ReopenLogs() })
	server.HandleFeed(protocol.PathProcesses, &s.feed, func(r *http.Request, v any) any {
		list := v.(protocol.ProcessList)
		if r.URL.Query().Get("usage") == "1" {
			list.Processes, list.Strays = s.withCosts(list.Processes), s.Strays()
		}
		return list
	})
	server.Handle("POST "+protocol.PathProcesses, func(r *http.Request) (any, error) {
		var req protocol.SpawnRequest
		if err := control.Decode(r, &req); err != nil {
			return nil, err
		}
		record, err := s.Spawn(ctx, req)
		var se *protocol.SpawnError
		if errors.As(err, &se) {
			level := slog.LevelError
			if se.Summary == diagnosis.StoppedByUs || se.Summary == diagnosis.SpawnerStops {
				level = slog.LevelInfo // what was asked for
			}
			slog.Log(ctx, level, "process not ready", "app", se.App, "category", se.Category, "err", se.Summary)
		}
		return record, asReply(err)
	})
	server.Handle("DELETE "+protocol.PathProcesses+"/{id}", func(r *http.Request) (any, error) {
		id, err := control.ID(r, "id")
		if err != nil {
			return nil, err
		}
		var req protocol.StopRequest
		if r.ContentLength != 0 {
			if err := control.Decode(r, &req); err != nil {
				return nil, err
			}
		}
		record, err := s.Stop(id, req)
		return record, asReply(err)
	})
	server.Handle("GET "+protocol.PathProcesses+"/{id}/output", func(r *http.Request) (any, error) {
		id, err := control.ID(r, "id")
		if err != nil {
			return nil, err
		}
		out, err := s.Output(id)
		return out, asReply(err)
	})
	server.Handle("POST "+protocol.PathProcesses+"/{id}/backtrace", func(r *http.Request) (any, error) {
		id, err := control.ID(r, "id")
		if err != nil {
			return nil, err
		}
		backtrace, err := s.Backtrace(id)
		return backtrace, asReply(err)
	})
	server.Handle("GET "+protocol.PathPreloaders, func(r *http.Request) (any, error) {
		list := protocol.PreloaderList{Preloaders: s.Preloaders()}
		if r.URL.Query().Get("usage") == "1" {
			s.addCosts(list.Preloaders)
		}
		return list, nil
	})
	server.Handle("POST "+protocol.PathPreloaders, func(r *http.Request) (any, error) {
		var req protocol.PromoteRequest
		if err := control.Decode(r, &req); err != nil {
			return nil, err
		}
		preloader, err := s.Promote(ctx, req.Process)
		return preloader, asReply(err)
	})
	server.Handle("DELETE "+protocol.PathPreloaders+"/{id}", func(r *http.Request) (any, error) {
		id, err := control.ID(r, "id")
		if err != nil {
			return nil, err
		}
		preloader, err := s.StopPreloader(id)
		return preloader, asReply(err)
	})
	server.Metrics = s.metrics
}

// asReply puts an error of the spawner into the protocol's words.
func asReply(err error) error {
	var se *protocol.SpawnError
	switch {
	case errors.As(err, &se):
		return &protocol.Error{Code: protocol.CodeSpawnFailed, Message: fmt.Sprintf("cannot spawn app %q: %s", se.App, se.Summary), Hint: se.Advice, Details: se}
	case errors.Is(err, ErrUnknown):
		return &protocol.Error{Code: protocol.CodeUnknownProcess, Message: err.Error()}
	}
	return err
}

func (s *Spawner) metrics(m *control.Metrics) {
	type key struct {
		app   string
		state protocol.State
	}
	counts := map[key]int{}
	var order []key // as in the list, so that two scrapes look alike
	processes := s.withCosts(s.feed.Get().Processes)
	for _, r := range processes {
		k := key{r.App, r.State}
		if counts[k]++; counts[k] == 1 {
			order = append(order, k)
		}
	}
	for _, k := range order {
		m.Gauge("passenger_processes", "Application processes by state.", float64(counts[k]), "app", k.app, "state", string(k.state))
	}
	unrecorded := 0
	for _, r := range processes {
		if r.Unrecorded != "" && r.State != protocol.Exited {
			unrecorded++
		}
	}
	m.Gauge("passenger_processes_unrecorded", "Processes whose records could not be written to the state directory.", float64(unrecorded))
	if log, ok := s.Log.(*output.Log); ok {
		m.Counter("passenger_output_dropped_lines_total", "Lines of apps that a log could not take.", float64(log.Dropped()), "log", "spawner")
		limited := log.Limited()
		for _, app := range slices.Sorted(maps.Keys(limited)) {
			m.Counter("passenger_output_limited_lines_total", "Lines that an app wrote into the spawner's log beyond its rate, which were dropped.", float64(limited[app]), "app", app)
		}
	}
	for path, lines := range s.logFiles.Dropped() {
		m.Counter("passenger_output_dropped_lines_total", "Lines of apps that a log could not take.", float64(lines), "log", path)
	}
	for _, r := range processes {
		if r.Usage == nil {
			continue
		}
		if r.Usage.PSS >= 0 {
			m.Gauge("passenger_process_pss_bytes", "Proportional set size of a process group.", float64(r.Usage.PSS), "app", r.App, "process", r.ID)
		}
		m.Counter("passenger_process_cpu_seconds_total", "User and system time of a process group.", r.Usage.CPU, "app", r.App, "process", r.ID)
	}
}
