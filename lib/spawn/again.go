package spawn

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"passenger/lib/protocol"
	"passenger/lib/spawn/diagnosis"
	"passenger/lib/spawn/notify"
	"passenger/lib/spawn/port"
	"passenger/lib/spawn/process"
)

// An app binds its port some time after it was let through its gate. Another
// program may be faster. That is no failure of the app's: the start is tried once
// more, with another port, before it counts as failed.

// portLost says that the app ended because another program has its port.
func (a *attempt) portLost(err error) bool {
	var e *protocol.SpawnError
	var ended *diagnosis.ExitError
	if a.port == 0 || !errors.As(err, &e) || !errors.As(a.cause, &ended) || e.Exit == nil || e.Exit.ByUs {
		return false
	}
	named := e.Category == protocol.CategoryPort && strings.Contains(e.Summary, strconv.Itoa(a.port))
	return named || port.Taken(a.port)
}

// again makes another attempt, with a process of the same ID. Meanwhile the list
// shows a process that starts.
func (a *attempt) again() (*attempt, error) {
	next := &attempt{s: a.s, req: a.req, gen: a.gen, plan: a.plan, noticed: make(chan notify.Notice, cap(a.noticed))}
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	dir := a.s.dir.Process(a.req.ID)
	if err := makeDirectory(dir, a.s.Group); err != nil {
		return nil, err
	}
	next.slot = freeSlot(a.s.processes, a.req.App)
	next.p = next.newProcess(dir)
	a.s.processes = append(slices.DeleteFunc(a.s.processes, func(p *process.Process) bool { return p == a.p }), next.p)
	return next, nil
}
