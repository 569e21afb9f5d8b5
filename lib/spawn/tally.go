package spawn

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"passenger/lib/control"
	"passenger/lib/histogram"
	"passenger/lib/protocol"
	"passenger/lib/spawn/diagnosis"
)

// startBounds are those of the histogram of starts: a fork takes milliseconds, an
// app that loads seconds, and one that does not start a minute and a half.
var startBounds = []time.Duration{
	50 * time.Millisecond, 250 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
	10 * time.Second, 30 * time.Second, 90 * time.Second,
}

// Results of a start, as metrics name them.
const (
	startReady   = "ready"
	startFailed  = "failed"
	startStopped = "stopped" // we were told to stop it before it was ready
)

// Causes of an exit, as metrics name them.
const (
	exitZero    = "exit"    // it ended by itself with status 0
	exitStatus  = "status"  // with another status
	exitSignal  = "signal"  // a signal ended it that was not ours
	exitOOM     = "oom"     // the kernel, for want of memory
	exitStopped = "stopped" // it was asked to go, and went
	exitKilled  = "killed"  // it was asked to go, and did not
	exitUnknown = "unknown" // it was adopted
)

// mostTallied is of how many apps starts and ends are counted. Beyond that those
// are forgotten that the longest nothing happened to: they are probably gone.
const mostTallied = 2000

// A tally counts how starts went and how processes ended. The zero tally is
// empty.
type tally struct {
	mu   sync.Mutex // guards the fields below
	apps map[string]*appTally
}

type appTally struct {
	last     time.Time
	starts   map[string]*histogram.Histogram // by result
	failures map[protocol.Category]uint64
	exits    map[string]uint64 // by cause
}

// of is the tally of an app, a new one if there is none. t.mu is held.
func (t *tally) of(app string, now time.Time) *appTally {
	a := t.apps[app]
	if a == nil {
		if t.apps == nil {
			t.apps = map[string]*appTally{}
		}
		if len(t.apps) >= mostTallied {
			delete(t.apps, slices.MinFunc(slices.Collect(maps.Keys(t.apps)), func(a, b string) int {
				return cmp.Or(t.apps[a].last.Compare(t.apps[b].last), cmp.Compare(a, b))
			}))
		}
		a = &appTally{starts: map[string]*histogram.Histogram{}, failures: map[protocol.Category]uint64{}, exits: map[string]uint64{}}
		t.apps[app] = a
	}
	a.last = now
	return a
}

// started counts a start that began then and is over. A request that made no
// sense, with another error than a *protocol.SpawnError, is none.
func (t *tally) started(app string, began time.Time, err error) {
	now, result := time.Now(), startReady
	var failed *protocol.SpawnError
	switch {
	case errors.As(err, &failed) && (failed.Summary == diagnosis.StoppedByUs || failed.Summary == diagnosis.SpawnerStops):
		result = startStopped
	case failed != nil:
		result = startFailed
	case err != nil:
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.of(app, now)
	if a.starts[result] == nil {
		a.starts[result] = histogram.New(startBounds)
	}
	a.starts[result].Add(now.Sub(began))
	if result == startFailed {
		a.failures[failed.Category]++
	}
}

// ended counts the end of a process that had been ready. A preloader, which has no
// slot, is none; the end of one that was not ready belongs to its start.
func (t *tally) ended(r protocol.Process) {
	if r.Exit == nil || r.Slot == 0 || r.ReadyAt.IsZero() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of(r.App, r.Exit.At).exits[exitCause(*r.Exit)]++
}

// exitCause is the cause in one word.
func exitCause(e protocol.Exit) string {
	switch {
	case e.OutOfMemory:
		return exitOOM
	case e.ByUs && e.Signal == "SIGKILL":
		return exitKilled
	case e.ByUs:
		return exitStopped
	case e.Unknown:
		return exitUnknown
	case e.Signal != "":
		return exitSignal
	case e.Status != 0:
		return exitStatus
	}
	return exitZero
}

// metrics adds what was counted. An app has the causes that are alarming from its
// first start on, so that their first time is a rise.
func (t *tally) metrics(m *control.Metrics) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, app := range slices.Sorted(maps.Keys(t.apps)) {
		a := t.apps[app]
		for _, result := range slices.Sorted(maps.Keys(a.starts)) {
			m.Histogram("passenger_start_duration_seconds", "How long starts of processes took, by result.", a.starts[result].Snapshot(), "app", app, "result", result)
		}
		for _, category := range slices.Sorted(maps.Keys(a.failures)) {
			m.Counter("passenger_start_failures_total", "Starts that failed, by the category of the spawn error.", float64(a.failures[category]), "app", app, "category", string(category))
		}
		exits := map[string]uint64{exitOOM: 0, exitStatus: 0, exitSignal: 0, exitKilled: 0}
		maps.Copy(exits, a.exits)
		for _, cause := range slices.Sorted(maps.Keys(exits)) {
			m.Counter("passenger_process_exits_total", "Processes that had been ready and ended, by cause.", float64(exits[cause]), "app", app, "cause", cause)
		}
	}
}
