package owner

import (
	"context"
	"fmt"
	"time"

	"passenger/lib/pool"
	"passenger/lib/protocol"
)

// Restart replaces the app's processes by ones with the settings that its
// files have now. If it is to wait, it returns when the outcome is known.
func (o *Owner) Restart(ctx context.Context, name string, r protocol.RestartRequest) (protocol.RestartReply, error) {
	if r.Mode != "" && r.Mode != "rolling" && r.Mode != "blocking" {
		return protocol.RestartReply{}, &protocol.Error{
			Code: protocol.CodeBadRequest, Message: fmt.Sprintf("unknown mode %q; there are rolling and blocking", r.Mode),
		}
	}
	if w := r.WatchErrors; w != nil && !(*w >= 0 && *w < 1) {
		return protocol.RestartReply{}, &protocol.Error{
			Code: protocol.CodeBadRequest, Message: fmt.Sprintf("watch_errors is %v; it is a share, 0 or more and under 1", *w),
		}
	}
	if err := checkCanary(r); err != nil {
		return protocol.RestartReply{}, err
	}
	outcome := make(chan pool.Outcome, 1)
	generation, err := o.restart(ctx, name, wish{RestartRequest: r, cause: "command"}, outcome)
	reply := protocol.RestartReply{App: name, Generation: generation}
	if err != nil || !r.Wait {
		return reply, err
	}
	limit := waitLimit(r.Timeout)
	select {
	case end, ok := <-outcome:
		if !ok {
			return reply, &protocol.Error{Code: protocol.CodeUnknownApp, Message: fmt.Sprintf("app %q was removed while it restarted", name)}
		}
		reply.Generation, reply.Done = end.Generation, true
		return reply, failure(end)
	case <-time.After(limit):
		return reply, &protocol.Error{
			Code: protocol.CodeTimeout, Message: fmt.Sprintf("app %q has not restarted after %v", name, limit),
			Hint: "the restart goes on; passenger-status shows how",
		}
	case <-o.ended:
		return reply, errStopping
	case <-ctx.Done():
		return reply, context.Cause(ctx)
	}
}

// A wish is a restart that a caller or a file asked for.
type wish struct {
	protocol.RestartRequest
	cause string
}

// how is what the wish means for an app with these settings.
func (w wish) how(c protocol.AppConfig) pool.How {
	h := pool.How{Blocking: w.Mode == "blocking", WatchErrors: c.WatchErrors, Cause: w.cause}
	if w.WatchErrors != nil {
		h.WatchErrors = w.WatchErrors
	}
	if w.Canary > 0 {
		h.Canary = pool.Share{Of: w.Canary, For: waitLimit(w.CanaryFor), Sticky: w.CanarySticky}
	}
	return h
}

// checkCanary says what is wrong with the canary that a request asks for.
func checkCanary(r protocol.RestartRequest) error {
	why := ""
	switch {
	case !(r.Canary >= 0 && r.Canary < 1):
		why = fmt.Sprintf("canary is %v; it is a share, over 0 and under 1", r.Canary)
	case r.Canary == 0 && (r.CanaryFor != 0 || r.CanarySticky):
		why = "canary_seconds and canary_sticky mean nothing without canary"
	case !(r.CanaryFor >= 0 && r.CanaryFor <= maxCanary.Seconds()):
		why = fmt.Sprintf("canary_seconds is %v; it must be 0 to %v", r.CanaryFor, maxCanary.Seconds())
	case r.Canary > 0 && r.Mode == "blocking":
		why = "a canary runs beside the old processes, which a blocking restart stops first"
	}
	if why == "" {
		return nil
	}
	return &protocol.Error{Code: protocol.CodeBadRequest, Message: why}
}

// maxCanary is how long a canary may take.
const maxCanary = 7 * 24 * time.Hour

// DecideCanary ends an app's canary: its generation is promoted, or goes.
func (o *Owner) DecideCanary(ctx context.Context, name string, promote bool) (protocol.App, error) {
	return o.order(ctx, name, func() error { return o.pool.DecideCanary(name, promote) })
}

// restart begins a restart. Its outcome is sent to outcome, unless that is nil.
func (o *Owner) restart(ctx context.Context, name string, w wish, outcome chan<- pool.Outcome) (generation int, err error) {
	o.configuring.Lock()
	defer o.configuring.Unlock()
	from, ok := o.catalog[name]
	if !ok {
		if _, err := o.App(ctx, name); err != nil {
			return 0, err
		}
		return 0, &protocol.Error{Code: protocol.CodeInvalidApp, Message: fmt.Sprintf("the settings of app %q cannot be read", name),
			Hint: "passenger-status says why; mend them, then run \"passenger-pool reload\""}
	}
	s, err := o.files.read(from)
	c := s.config
	if err == nil && c.Name != name {
		err = fmt.Errorf("%s now names an app %q", from.path, c.Name)
	}
	if err != nil {
		o.refuse(from, c, err)
		return 0, &protocol.Error{Code: protocol.CodeInvalidApp, Message: err.Error(), Hint: "nothing was restarted"}
	}
	refused := o.claims.check(name, s.claim)
	var busy error // the settings are right, but the app cannot have a canary now
	var before uint64
	err = o.ask(ctx, func(now time.Time) {
		if refused == nil {
			refused = o.pool.Check(c)
		}
		if refused != nil {
			return
		}
		before = o.pool.Version()
		if w.Canary > 0 {
			if generation, busy = o.pool.Canary(now, c, s.byApp, w.how(c)); busy != nil {
				return
			}
		} else if generation, ok = o.pool.Restart(now, c, s.byApp, w.how(c)); !ok {
			refused = unknownApp(name, o.pool.Names())
			return
		}
		if outcome != nil {
			o.restarting[name] = append(o.restarting[name], outcome)
		}
	})
	if err == nil {
		err = busy
	}
	if err == nil && refused != nil {
		o.refuse(from, c, refused)
		err = refused
	}
	if err != nil {
		return 0, err
	}
	o.refused.set(from.path, nil)
	o.claims[name] = s.claim
	// Once it is accepted, the death of the pool does not end it.
	return generation, o.awaitWritten(ctx, before+1)
}

// failure is what the caller of a restart is told of its end, nil if it went
// well.
func failure(end pool.Outcome) error {
	if end.Err == nil {
		return nil
	}
	e := &protocol.Error{
		Code:    protocol.CodeRestartFailed,
		Message: fmt.Sprintf("app %q %s: %s; the old version serves on", end.App, fault(end), end.Err.Summary),
		Hint:    end.Err.Advice, Details: end.Err,
	}
	if !end.Serving {
		e.Code, e.Message = protocol.CodeSpawnFailed, fmt.Sprintf("app %q %s: %s; nothing serves it", end.App, fault(end), end.Err.Summary)
	}
	return e
}

// fault says in a word what was wrong with a new generation.
func fault(end pool.Outcome) string {
	switch {
	case end.TakenBack:
		return "was taken back"
	case end.Err.Category == protocol.CategoryHealth:
		return "did not pass its health check"
	}
	return "did not start"
}

// waitLimit is how long a caller that waits is kept waiting.
func waitLimit(seconds float64) time.Duration {
	if seconds > 0 {
		return time.Duration(seconds * float64(time.Second))
	}
	return 10 * time.Minute
}
