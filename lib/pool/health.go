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
	if q == nil || !q.checking {
		return
	}
	q.checking = false
	switch {
	case q.phase != protocol.Starting: // it is to go anyway
	case err == nil:
		p.ready(now, q)
	default:
		slog.Error("process did not pass its health check", "app", q.app.config.Name, "pid", q.record.PID, "err", err.Summary)
		p.enter(now, q, protocol.Stopping)
		p.failed(now, q, err)
	}
}

// arrive tells that a process that starts accepts connections: it serves, or
// is to be checked first.
func (p *Pool) arrive(now time.Time, q *process) {
	switch {
	case q.checking:
	case q.app.checks():
		q.checking = true
		p.checks = append(p.checks, Check{Process: q.record, Config: q.app.running})
	default:
		p.ready(now, q)
	}
}

// checks says that new processes of the app are checked.
func (a *app) checks() bool { return a.running.HealthPath != "" || len(a.running.WarmUp) > 0 }
