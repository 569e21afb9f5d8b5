package owner

import (
	"encoding/json"
	"fmt"
	"time"

	"passenger/lib/app"
	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/secret"
)

// calls are the handlers of the pool's control socket: each turns a request
// into a call of the owner, and what that returns into a reply.
type calls struct{ o *Owner }

func (c calls) apps(r *control.Request) (any, error) {
	list, err := c.o.Apps(r.Context())
	for i := range list.Apps {
		list.Apps[i] = public(list.Apps[i])
	}
	return list, err
}

func (c calls) app(r *control.Request, name string) (any, error) {
	return shown(c.o.App(r.Context(), name))
}

func (c calls) settings(r *control.Request, name string) (any, error) {
	return c.o.Settings(r.Context(), name)
}

func (c calls) put(r *control.Request, name string) (any, error) {
	body, err := control.Body(r)
	if err != nil {
		return nil, err
	}
	config, err := app.Parse(body)
	if err != nil {
		return nil, &protocol.Error{Code: protocol.CodeInvalidApp, Message: fmt.Sprintf("app %q: %v", name, err)}
	}
	return shown(c.o.Put(r.Context(), name, config))
}

func (c calls) patch(r *control.Request, name string) (any, error) {
	var patch map[string]json.RawMessage
	if err := control.Decode(r, &patch); err != nil {
		return nil, err
	}
	return shown(c.o.Patch(r.Context(), name, patch))
}

func (c calls) preview(r *control.Request, name string) (any, error) {
	var patch map[string]json.RawMessage
	if err := control.Decode(r, &patch); err != nil {
		return nil, err
	}
	return c.o.Preview(r.Context(), name, patch)
}

func (c calls) remove(r *control.Request, name string) (any, error) {
	return nil, c.o.Remove(r.Context(), name)
}

func (c calls) restart(r *control.Request, name string) (any, error) {
	var req protocol.RestartRequest
	if err := control.DecodeOptional(r, &req); err != nil {
		return nil, err
	}
	return c.o.Restart(r.Context(), name, req)
}

func (c calls) scale(r *control.Request, name string) (any, error) {
	var req protocol.ScaleRequest
	if err := control.Decode(r, &req); err != nil {
		return nil, err
	}
	return shown(c.o.Scale(r.Context(), name, req.Instances))
}

func (c calls) pause(r *control.Request, name string) (any, error) {
	var req protocol.PauseRequest
	if err := control.DecodeOptional(r, &req); err != nil {
		return nil, err
	}
	return shown(c.o.Pause(r.Context(), name, req))
}

func (c calls) resume(r *control.Request, name string) (any, error) {
	return shown(c.o.Resume(r.Context(), name))
}

func (c calls) canary(r *control.Request, name string) (any, error) {
	var req protocol.CanaryRequest
	if err := control.Decode(r, &req); err != nil {
		return nil, err
	}
	return shown(c.o.DecideCanary(r.Context(), name, req.Promote))
}

func (c calls) reload(r *control.Request) (any, error) { return c.o.Reload(r.Context()) }

func (c calls) detach(r *control.Request, id string) (any, error) {
	return nil, c.o.Detach(r.Context(), id)
}

func (c calls) report(r *control.Request, id string) (any, error) {
	var report protocol.ProxyReport
	if err := control.Decode(r, &report); err != nil {
		return nil, err
	}
	if caller, ok := control.Caller(r); ok {
		c.o.proxies.heard(id, caller.PID, report.Leaving)
	}
	var reply protocol.ReportReply
	err := c.o.ask(r.Context(), func(now time.Time) { reply.Kept = c.o.pool.Reported(now, id, report) })
	return reply, err
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
