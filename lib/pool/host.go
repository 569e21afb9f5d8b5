package pool

import (
	"fmt"
	"log/slog"
	"time"

	"passenger/lib/protocol"
)

// A Host is what processes can have of the machine, where they live.
type Host struct {
	protocol.Host

	// Processes is the memory of each process in bytes, by ID.
	Processes map[string]int64
}

// Measured tells how the machine is doing.
func (p *Pool) Measured(h Host) {
	if h.Processes == nil {
		h.Processes = p.host.Processes // those are measured less often
	}
	if h.Unknown != "" && p.host.Unknown == "" {
		slog.Warn("the pool does not know how much memory there is, and starts processes without regard to it", "unknown", h.Unknown)
	}
	p.host = h
	p.resize()
	for _, a := range p.apps {
		if most := a.largest(); most > 0 {
			a.weight = most
		}
	}
}

const (
	// At these pressures one more process takes from the others what it gets.
	highCPU    = 90
	highMemory = 10

	// strainWait is how long a request waits before another process is started
	// all the same: the pressure need not be the app's, nor its own wait that
	// for a processor.
	strainWait = 1
)

// strained says that the machine is too busy for a process that would only be
// good to have.
func (w *want) strained() bool {
	host := &w.app.pool.host
	return (host.CPUPressure > highCPU || host.MemoryPressure > highMemory) && w.waited < strainWait
}

// LimitsMemory says that the memory of processes matters more than usual.
func (p *Pool) LimitsMemory() bool {
	for _, a := range p.apps {
		if a.config.MemoryLimit > 0 || a.config.ReforkAfter > 0 {
			return true
		}
		for _, s := range a.config.Processes {
			if s.MemoryLimit > 0 {
				return true
			}
		}
	}
	return false
}

// fits says that there is memory for one more process of the app beside those
// that start.
func (a *app) fits() bool {
	need := a.needs()
	return need == 0 || a.pool.host.MemoryFree == 0 || need <= a.pool.host.MemoryFree
}

// needs is the memory of one more process of the app and of those that start, 0
// if it is not known.
func (a *app) needs() int64 {
	need := a.footprint()
	if need == 0 {
		return 0
	}
	for _, q := range a.pool.processes {
		if q.starting() {
			need += q.app.footprint()
		}
	}
	return need
}

// withheldPause is how long no start was withheld until the log tells of the
// next one again.
const withheldPause = time.Minute

// withhold notes, and logs once for a while, that memory keeps the app from a
// process that it would have.
func (a *app) withhold(now time.Time) {
	h := a.pool.host.Host
	why := fmt.Sprintf("everything waited for memory %.0f %% of the last 10 s", h.MemoryPressure)
	if need := a.needs(); !a.fits() {
		why = fmt.Sprintf("it needs %d MB, and %s has %d MB left", need>>20, h.MemoryBound, h.MemoryFree>>20)
		if h.MemoryBound != protocol.WholeMachine {
			why += fmt.Sprintf(" of its limit of %d MB", h.MemoryMax>>20)
		}
	}
	if now.Sub(a.short.at) > withheldPause {
		slog.Warn("start withheld for want of memory", "app", a.config.Name, "reason", why)
	}
	a.short = shortage{now, why}
}

// A shortage is a start that was withheld for want of memory.
type shortage struct {
	at  time.Time // the zero time if none was
	why string
}

// withheldShown is how long a shortage is shown: decisions are made that often.
const withheldShown = 10 * time.Second

// withheld says why the app has not the processes that it would have, empty if
// memory keeps none from it.
func (a *app) withheld(now time.Time) string {
	if a.short.at.IsZero() || now.Sub(a.short.at) > withheldShown {
		return ""
	}
	return a.short.why
}

// footprint is what a process of the app will take: as much as the largest that it
// has, or had if those that it has were not measured yet; 0 if that is not known.
func (a *app) footprint() int64 {
	if most := a.largest(); most > 0 {
		return most
	}
	return a.weight
}

func (a *app) largest() int64 {
	var most int64
	for _, q := range a.processes {
		most = max(most, a.pool.host.Processes[q.record.ID])
	}
	return most
}
