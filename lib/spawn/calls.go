package spawn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/spawn/diagnosis"
)

// Register adds the spawner's calls to a control server. Spawns are bound to
// ctx and not to their request: a caller that goes away finds the process in
// the list later.
func (s *Spawner) Register(ctx context.Context, server *control.Server) {
	server.Register(calls{s}.table(ctx)...)
	server.Metrics = s.metrics
}

// calls are what a spawner answers; passenger-protocol(7) describes each.
type calls struct{ spawner *Spawner }

// table has all calls. Those that take long are bound to ctx.
func (c calls) table(ctx context.Context) []control.Call {
	const id = "/{id}"
	spawn := func(r *control.Request, req protocol.SpawnRequest) (any, error) {
		record, err := c.spawner.Spawn(ctx, req)
		logFailure(err, r.Context().Err() == nil)
		return record, err
	}
	promote := func(_ *control.Request, req protocol.PromoteRequest) (any, error) {
		return c.spawner.Promote(ctx, req.Process)
	}
	return []control.Call{
		{Method: "GET", Path: protocol.PathHost, Access: protocol.Reads, Handler: func(*control.Request) (any, error) { return c.spawner.Host(), nil }},
		{Method: "POST", Path: protocol.PathLogs, Access: protocol.Changes, Handler: func(*control.Request) (any, error) { return nil, c.spawner.ReopenLogs() }},
		{Method: "GET", Path: protocol.PathProcesses, Access: protocol.Reads, Handler: c.list, Feed: &c.spawner.feed},
		{Method: "POST", Path: protocol.PathProcesses, Access: protocol.Changes, Handler: decoded(spawn)},
		{Method: "DELETE", Path: protocol.PathProcesses + id, Access: protocol.Changes, Handler: control.Named("id", c.stop)},
		{Method: "GET", Path: protocol.PathProcesses + id + "/output", Access: protocol.Reads, Handler: ofID(c.spawner.Output)},
		{Method: "POST", Path: protocol.PathProcesses + id + "/backtrace", Access: protocol.Changes, Handler: ofID(c.spawner.Backtrace)},
		{Method: "GET", Path: protocol.PathPreloaders, Access: protocol.Reads, Handler: c.listPreloaders},
		{Method: "POST", Path: protocol.PathPreloaders, Access: protocol.Changes, Handler: decoded(promote)},
		{Method: "GET", Path: protocol.PathPreloaders + id + "/output", Access: protocol.Reads, Handler: ofID(c.spawner.PreloaderOutput)},
		{Method: "DELETE", Path: protocol.PathPreloaders + id, Access: protocol.Changes, Handler: ofID(c.spawner.StopPreloader)},
	}
}

// decoded is the handler that gives f the request's body.
func decoded[T any](f func(*control.Request, T) (any, error)) control.Handler {
	return func(r *control.Request) (any, error) {
		var req T
		if err := control.Decode(r, &req); err != nil {
			return nil, err
		}
		v, err := f(r, req)
		return v, asReply(err)
	}
}

// ofID is the handler that gives f the ID in the request's path.
func ofID[T any](f func(id string) (T, error)) control.Handler {
	return control.Named("id", func(_ *control.Request, id string) (any, error) {
		v, err := f(id)
		return v, asReply(err)
	})
}

func (c calls) stop(r *control.Request, id string) (any, error) {
	var req protocol.StopRequest
	if r.ContentLength != 0 {
		if err := control.Decode(r, &req); err != nil {
			return nil, err
		}
	}
	record, err := c.spawner.Stop(id, req)
	return record, asReply(err)
}

// withUsage says whether a request for a list wants what each process costs.
func withUsage(r *control.Request) bool { return r.URL.Query().Get("usage") == "1" }

func (c calls) list(r *control.Request) (any, error) {
	list := c.spawner.feed.Get()
	if withUsage(r) {
		list.Processes, list.Strays = withCosts(&c.spawner.meter, list.Processes), c.spawner.Strays()
	}
	return list, nil
}

func (c calls) listPreloaders(r *control.Request) (any, error) {
	list := protocol.PreloaderList{Preloaders: c.spawner.Preloaders()}
	if withUsage(r) {
		addCosts(&c.spawner.meter, list.Preloaders)
	}
	return list, nil
}

// logFailure logs why a process did not become ready. A caller who is told of it
// logs it as well, in the same words: then it is worth no second alarm.
func logFailure(err error, told bool) {
	var se *protocol.SpawnError
	if !errors.As(err, &se) {
		return
	}
	level := slog.LevelError
	switch {
	case told:
		level = slog.LevelDebug
	case se.Summary == diagnosis.StoppedByUs || se.Summary == diagnosis.SpawnerStops:
		level = slog.LevelInfo // as was asked for
	}
	slog.Log(context.Background(), level, "process did not become ready", "app", se.App, "generation", se.Generation, "category", se.Category, "err", se.Summary)
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
