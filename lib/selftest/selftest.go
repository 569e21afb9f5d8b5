package selftest

import (
	"context"
	"fmt"
	"time"

	"passenger/lib/protocol"
)

// recoverTime is how long the app has to be as it was before.
const recoverTime = 60 * time.Second

// A Test is one self-test.
type Test struct {
	Server   Server
	Load     Load
	Duration time.Duration
	During   string // one of Faults, or empty
	Slow     time.Duration

	// Expected are the statuses of 400 and more that are no errors.
	Expected Statuses
}

// Run makes the test. An error means that it could not be made, or that what
// was to be done to the server failed; the report is what was found until then.
func (t Test) Run(ctx context.Context) (Report, error) {
	before, err := t.Server.app(ctx)
	if err != nil {
		return Report{}, err
	}
	if before.State != protocol.AppReady {
		return Report{}, fmt.Errorf("app %q is %s, not ready; there is nothing to test yet", t.Server.App, before.State)
	}
	retried, err := t.Server.retried(ctx)
	if err != nil {
		return Report{}, err
	}
	loading, stop := context.WithTimeout(ctx, t.Duration)
	defer stop()
	samples := make(chan []sample, 1)
	go func() { samples <- t.Load.Run(loading) }()

	waitUntil(loading, time.Now().Add(t.Duration/4))
	done, failed := t.Server.do(ctx, t.During)
	recovered := t.recovered(ctx, serving(before), done)
	report := Count(<-samples, t.Slow, done.cut, t.Expected)
	report.App, report.During, report.Recovered = t.Server.App, t.During, recovered
	if after, err := t.Server.retried(ctx); err == nil {
		report.Retried = max(after-retried, 0)
	}
	return report, failed
}

// serving counts the processes that serve.
func serving(a protocol.App) int {
	n := 0
	for _, p := range a.Processes {
		if p.State == protocol.Ready {
			n++
		}
	}
	return n
}

// recovered waits until what was killed is replaced, the app has as many
// processes as before and both daemons answer, and returns how long that took,
// -1 if it did not.
func (t Test) recovered(ctx context.Context, processes int, done wound) float64 {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, recoverTime)
	defer cancel()
	for {
		var list protocol.AppList
		err := t.Server.Pool.Call(ctx, "GET", protocol.PathApps, nil, &list)
		for _, a := range list.Apps {
			if a.Name == t.Server.App && err == nil && list.SpawnerUp && len(list.Proxies) > 0 &&
				a.State == protocol.AppReady && serving(a) >= processes && done.healed(ctx, a) {
				return time.Since(began).Seconds()
			}
		}
		if !waitUntil(ctx, time.Now().Add(20*time.Millisecond)) {
			return -1
		}
	}
}
