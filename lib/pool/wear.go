package pool

import (
	"fmt"
	"log/slog"
	"time"

	"passenger/lib/protocol"
)

// hardMemory times the memory limit is what a process is stopped at, without a
// replacement and without regard for its requests.
const hardMemory = 2

// wear says why a process is to be replaced, empty if it is not.
func (p *Pool) wear(q *process) string {
	c := q.app.config
	memory := p.host.Processes[q.record.ID]
	switch {
	case c.MaxRequests > 0 && q.traffic.processed >= uint64(c.MaxRequests)-uint64(q.chance*float64(c.MaxRequests)/10):
		return fmt.Sprintf("it answered %d requests; max_requests is %d", q.traffic.processed, c.MaxRequests)
	case c.MemoryLimit > 0 && memory > int64(c.MemoryLimit)<<20:
		return fmt.Sprintf("it takes %d MB; memory_limit is %d", memory>>20, c.MemoryLimit)
	case outdated(q):
		return "another process was promoted since it was forked"
	case q.traffic.stuck > 0:
		return fmt.Sprintf("a request had no answer within %gs; see max_request_time", c.MaxRequestTime)
	}
	return ""
}

// renew takes worn processes out of service that cannot wait for a
// replacement: one that does no good, and one that has to make room for it.
func (p *Pool) renew(now time.Time, a *app) {
	for _, q := range a.processes {
		switch {
		case q.phase() != protocol.Ready && q.phase() != protocol.Draining:
		case p.bloated(q):
			slog.Error("process is stopped", "app", a.config.Name, "pid", q.record.PID, "cause", p.wear(q))
			q.why = p.wear(q)
			p.step(now, q, eventExpel)
		case q.phase() == protocol.Ready && q.traffic.stuck > 0 && q.record.Concurrency == 1:
			p.drain(now, q, p.wear(q)) // it takes one request at a time, and has one
		}
	}
	if q := p.toReplace(a); q != nil && p.crowded(a) && a.census().leaving == 0 && !now.Before(a.backoff.next()) {
		p.drain(now, q, p.wear(q))
	}
}

func (p *Pool) bloated(q *process) bool {
	limit := int64(q.app.config.MemoryLimit) << 20
	return limit > 0 && p.host.Processes[q.record.ID] > hardMemory*limit
}

// crowded says that there is no room for one more process of the app.
func (p *Pool) crowded(a *app) bool { return p.poolFull(a) || p.appFull(a) || !p.fits(a) }

// toReplace returns a worn process for which a replacement is to be started,
// nil if there is none. One is replaced after the other.
func (p *Pool) toReplace(a *app) *process {
	if a.restart != nil || a.always {
		return nil
	}
	var worn *process
	for _, q := range a.processes {
		switch {
		case q.starting() && q.replaces != nil:
			return nil
		case worn == nil && q.phase() == protocol.Ready && p.wear(q) != "":
			worn = q
		}
	}
	return worn
}
