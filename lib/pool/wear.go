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

// deafTime is how long a process may live and refuse connections, in seconds. One
// that ends does so too, and the spawner tells of its end well before.
const deafTime = 3

// wear says why a process is to be replaced, empty if it is not.
func (q *process) wear() string {
	c := &q.app.config
	memory := q.app.pool.host.Processes[q.record.ID]
	switch {
	case c.MaxRequests > 0 && q.traffic.processed >= uint64(c.MaxRequests)-uint64(q.chance*float64(c.MaxRequests)/10):
		return fmt.Sprintf("it answered %d requests; max_requests is %d", q.traffic.processed, c.MaxRequests)
	case c.MemoryLimit > 0 && memory > int64(c.MemoryLimit)<<20:
		return fmt.Sprintf("it takes %d MB; memory_limit is %d", memory>>20, c.MemoryLimit)
	case outdated(q):
		return "another process was promoted since it was forked"
	case q.traffic.stuck > 0:
		return fmt.Sprintf("a request had no answer within %gs; see max_request_time", c.MaxRequestTime)
	case q.traffic.deaf >= deafTime:
		return fmt.Sprintf("it has refused connections for %.0fs", q.traffic.deaf)
	}
	return ""
}

// renew takes worn processes out of service that cannot wait for a
// replacement: one that does no good, and one that has to make room for it.
func (a *app) renew(now time.Time) {
	for _, q := range a.processes {
		switch {
		case q.phase() != protocol.Ready && q.phase() != protocol.Draining:
		case q.bloated():
			slog.Error("process is stopped", "app", a.config.Name, "pid", q.record.PID, "cause", q.wear())
			q.why = q.wear()
			q.step(now, eventExpel)
		case q.phase() == protocol.Ready && q.traffic.stuck > 0 && q.record.Concurrency == 1:
			q.drain(now, q.wear()) // it takes one request at a time, and has one
		}
	}
	if q := a.toReplace(); q != nil && a.crowded() && a.census().leaving == 0 && !now.Before(a.backoff.next()) {
		q.drain(now, q.wear())
	}
}

func (q *process) bloated() bool {
	limit := int64(q.app.config.MemoryLimit) << 20
	return limit > 0 && q.app.pool.host.Processes[q.record.ID] > hardMemory*limit
}

// crowded says that there is no room for one more process of the app.
func (a *app) crowded() bool { return a.poolFull() || a.appFull() || !a.fits() }

// toReplace returns a worn process for which a replacement is to be started,
// nil if there is none. One is replaced after the other.
func (a *app) toReplace() *process {
	if a.restart != nil || a.always {
		return nil
	}
	var worn *process
	for _, q := range a.processes {
		switch {
		case q.starting() && q.replaces != nil:
			return nil
		case worn == nil && q.phase() == protocol.Ready && !a.canary.has(q) && q.wear() != "":
			worn = q
		}
	}
	return worn
}
