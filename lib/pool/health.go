package pool

import (
	"log/slog"
	"time"

	"passenger/lib/protocol"
)

// A Check is a process that is to be asked whether it serves, before requests
// go to it. Its result comes back as [Pool.Checked].
type Check struct {
	Process protocol.Process
	Config  protocol.AppConfig // what it was started with
}

// Checked tells the outcome of a check: err is nil if the process serves.
func (p *Pool) Checked(now time.Time, id string, err *protocol.SpawnError) {
	q := p.processes[id]
	switch {
	case q == nil:
	case err == nil:
		q.ready(now)
	case q.step(now, eventRefused):
		slog.Error("process did not pass its health check", "app", q.app.config.Name, "pid", q.record.PID, "err", err.Summary)
		q.failed(now, err)
	}
}

// arrive tells that a process that starts accepts connections: it serves, or
// is to be checked first.
func (q *process) arrive(now time.Time) {
	switch {
	case q.state == stateChecking:
	case !q.app.checks():
		q.ready(now)
	case q.step(now, eventAccepts):
		q.app.pool.checks = append(q.app.pool.checks, Check{Process: q.record, Config: q.app.running})
	}
}

// checks says that new processes of the app are checked.
func (a *app) checks() bool { return a.running.HealthPath != "" || len(a.running.WarmUp) > 0 }
