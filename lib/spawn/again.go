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

// An app binds the port that it is given long after we chose it. If another
// program was faster, that is no failure of the app's: the start is tried once
// more, with another port, before anyone hears of it.

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

// again makes another attempt, with a process of the same ID. The list shows one
// that starts all the while.
func (a *attempt) again() (*attempt, error) {
	next := &attempt{s: a.s, req: a.req, gen: a.gen, plan: a.plan, noticed: make(chan notify.Notice, cap(a.noticed))}
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	dir := a.s.dir.Process(a.req.ID)
	if err := makeDirectory(dir, a.s.Group); err != nil {
		return nil, err
	}
	next.p = next.newProcess(dir)
	a.s.processes = append(slices.DeleteFunc(a.s.processes, func(p *process.Process) bool { return p == a.p }), next.p)
	return next, nil
}
