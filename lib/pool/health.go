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
		p.ready(now, q)
	case p.step(now, q, eventRefused):
		slog.Error("process did not pass its health check", "app", q.app.config.Name, "pid", q.record.PID, "err", err.Summary)
		p.failed(now, q, err)
	}
}

// arrive tells that a process that starts accepts connections: it serves, or
// is to be checked first.
func (p *Pool) arrive(now time.Time, q *process) {
	switch {
	case q.state == stateChecking:
	case !q.app.checks():
		p.ready(now, q)
	case p.step(now, q, eventAccepts):
		p.checks = append(p.checks, Check{Process: q.record, Config: q.app.running})
	}
}

// checks says that new processes of the app are checked.
func (a *app) checks() bool { return a.running.HealthPath != "" || len(a.running.WarmUp) > 0 }
