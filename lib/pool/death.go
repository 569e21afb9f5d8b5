package pool

import (
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"passenger/lib/pool/pause"
	"passenger/lib/protocol"
)

// died tells that a process ended that served and was to go on.
func (q *process) died(now time.Time, r protocol.Process, cause string) {
	a := q.app
	if n := a.canary; n.has(q) && (r.Exit == nil || !r.Exit.ByUs) {
		n.trial.lost(r.Exit, obituary(now, q, r, cause))
	}
	if r.Exit != nil && r.Exit.ByUs || q.record.Generation != a.generation {
		return
	}
	why := obituary(now, q, r, cause)
	if t := a.restart; t != nil && !t.undoing && t.trial.length > 0 {
		t.trial.lost(r.Exit, why)
	}
	if q.traffic.processed > 0 {
		a.backoff.served(now, a, why)
		return
	}
	if now.Sub(q.since) > pause.Early || !a.backoff.strike(now, q, r.Exit) {
		return
	}
	if len(q.app.pool.proxies) > 0 {
		q.app.pool.late[r.ID] = late{a, now}
	}
	b := &a.backoff
	if !b.looping {
		return
	}
	wait := pause.After(b.failures, q.app.pool.chance.Jitter())
	b.failedAt, b.until, b.refusing = now, now.Add(wait), wait > patientPast
	b.err = why
	b.err.Summary += fmt.Sprintf(", %d times in a row", b.strikes)
	slog.Error("process dies soon after it is ready", "app", a.config.Name, "times", b.strikes,
		"pause", wait.Round(time.Millisecond))
	if t := a.restart; t != nil && !t.undoing && t.trial.death == nil {
		t.trial.death = why
	}
}

// obituary says how a process ended that had been ready.
func obituary(now time.Time, q *process, r protocol.Process, cause string) *protocol.SpawnError {
	e := &protocol.SpawnError{
		Category: protocol.CategoryExit,
		Summary:  fmt.Sprintf("%s %.1fs after it was ready", cause, now.Sub(q.since).Seconds()),
		Advice:   "Its output, in the log of passenger-spawn, may say why.",
		App:      q.app.config.Name, ProcessID: r.ID, Generation: r.Generation, At: now,
		Phases: []protocol.Phase{}, Output: []string{}, Exit: r.Exit,
		Command: r.Command, AppRoot: r.AppRoot, User: r.User,
	}
	if r.Exit == nil || len(r.Exit.Output) == 0 {
		return e
	}
	e.Output, e.Advice = r.Exit.Output, "What it wrote last is below."
	if line := telling(e.Output); line != "" {
		e.Summary += ": " + line
	}
	return e
}

// anError is how Ruby, Python and JavaScript begin or end the line that names an
// error which the app did not handle.
var anError = regexp.MustCompile(`(Error|Exception|Errno::[A-Z0-9]+|panic)\b`)

// telling is the last of the lines that names an error, empty if none does. Those
// of a backtrace are indented.
func telling(lines []string) string {
	for i := len(lines) - 1; i >= 0; i-- {
		if line := lines[i]; anError.MatchString(line) && strings.TrimLeft(line, " \t") == line {
			return strings.TrimRight(line, " ")
		}
	}
	return ""
}

// collision is how systems and languages call what two processes cannot have.
var collision = regexp.MustCompile(`(?i)EADDRINUSE|address already in use`)

// advised adds what helps where the new processes could not run beside the old.
func advised(e *protocol.SpawnError) *protocol.SpawnError {
	if !collision.MatchString(e.Summary) && !collision.MatchString(strings.Join(e.Output, "\n")) {
		return e
	}
	with := *e
	with.Advice = "An old process has that address still. For an app that cannot run twice use --blocking, " +
		"or set restart_surge to 0 beside max_instances. " + e.Advice
	return &with
}

// A late is a process that died early, as far as was known. A proxy may yet
// tell that it served.
type late struct {
	app *app
	at  time.Time
}

// lateFor is how long a proxy may take to tell.
const lateFor = 5 * time.Second

// acquit takes back what was held against apps for processes that had served.
func (p *Pool) acquit(now time.Time) {
	for id, l := range p.late {
		served := false
		for _, x := range p.proxies {
			served = served || x.report.Processes[id].Processed > 0
		}
		switch {
		case served:
			l.app.backoff.acquit(now, l.app)
			p.table.changed(l.app)
			delete(p.late, id)
		case now.Sub(l.at) > lateFor:
			delete(p.late, id)
		}
	}
}
