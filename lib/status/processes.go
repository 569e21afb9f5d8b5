package status

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"passenger/lib/protocol"
)

// columns are those of the table of processes, in order. Numbers stand to the
// right.
var columns = []struct {
	head  string
	right bool
}{
	{"PID", true}, {"STATE", false}, {"IN FLIGHT", true}, {"PROCESSED", true}, {"MEMORY", true},
	{"CPU", true}, {"UPTIME", true}, {"LAST USED", true}, {"ADDRESS", false},
}

// spareColumns are those that a narrow terminal has no room for, the first of
// them first.
var spareColumns = []int{8, 7, 6, 3, 5, 2}

// writeProcesses writes a table of the processes of an app and the preloaders
// that they come from, and what they take together.
func (s Status) writeProcesses(b *strings.Builder, st Style, a App) {
	t := table{spare: spareColumns, width: st.Width}
	var head []cell
	for _, c := range columns {
		t.right = append(t.right, c.right)
		head = append(head, cell{c.head, st.dim})
	}
	t.add(head...)
	hidden := 0
	if st.rows > 0 && len(a.Processes)+len(a.Preloaders) > st.rows {
		hidden = len(a.Processes) + len(a.Preloaders) - st.rows
		a.Processes = a.Processes[:min(len(a.Processes), st.rows)]
		a.Preloaders = a.Preloaders[:st.rows-len(a.Processes)]
	}
	for _, p := range a.Processes {
		state := a.older(string(p.State), p.Generation)
		t.add(number(p.PID), cell{state, func(string) string { return st.state(state) }},
			cell{p.inFlight(), nil}, cell{p.processed(), nil}, cell{memory(p.Usage), nil}, cell{p.cpu(), nil},
			cell{span(p.Uptime), nil}, cell{p.lastUsed(s.At), nil}, cell{s.address(p.Address), nil})
	}
	for _, l := range a.Preloaders {
		state := "preloader"
		if l.State != protocol.Ready {
			state += ", " + string(l.State)
		}
		state = a.older(state, l.Generation)
		t.add(number(l.PID), cell{state, st.dim}, cell{none, nil}, cell{none, nil}, cell{memory(l.Usage), nil}, cell{cpu(l.Usage), nil},
			cell{span(max(0, s.At.Sub(l.StartedAt).Seconds())), nil}, cell{ago(s.At, l.LastFork), nil}, cell{none, nil})
	}
	t.write(b, "  ")
	if hidden > 0 {
		fmt.Fprintf(b, "  %s\n", st.dim(plural(hidden, "more process", "more processes")))
	}
	if !st.brief && len(a.Processes)+len(a.Preloaders) > 1 && a.Memory != nil {
		fmt.Fprintf(b, "  together: %s\n", a.takes())
	}
}

// takes says how many processes an app has and what memory they take.
func (a App) takes() string {
	parts := plural(len(a.Processes), "process", "processes")
	if n := len(a.Preloaders); n > 0 {
		parts += " and " + plural(n, "preloader", "preloaders")
	}
	return parts + ", " + size(*a.Memory)
}

// older names the generation with a state, unless it is the app's own.
func (a App) older(state string, generation int) string {
	if generation == a.Generation {
		return state
	}
	return fmt.Sprintf("%s (generation %d)", state, generation)
}

// number is a pid; one that is still to be started has none.
func number(pid int) cell {
	if pid == 0 {
		return cell{none, nil}
	}
	return cell{strconv.Itoa(pid), nil}
}

func (p Process) inFlight() string {
	if p.InFlight == nil {
		return none
	}
	return strconv.Itoa(*p.InFlight)
}

func (p Process) processed() string {
	if p.Processed == nil {
		return none
	}
	return count(*p.Processed)
}

func memory(u *protocol.Usage) string {
	if u == nil {
		return none
	}
	return size(u.PSS)
}

func (p Process) cpu() string {
	if p.Usage != nil && p.CPUPercent != nil {
		return fmt.Sprintf("%s %.0f%%", span(p.Usage.CPU), *p.CPUPercent)
	}
	return cpu(p.Usage)
}

func cpu(u *protocol.Usage) string {
	if u == nil {
		return none
	}
	return span(u.CPU)
}

// lastUsed is when the last request ended; one that has a request is used now.
func (p Process) lastUsed(now time.Time) string {
	switch {
	case p.Processed == nil:
		return none
	case p.InFlight != nil && *p.InFlight > 0:
		return "now"
	}
	return ago(now, p.LastUsed)
}

// address shortens a socket's path below the state directory, which the first
// line names.
func (s Status) address(a string) string {
	if a == "" {
		return none
	}
	if path, ok := strings.CutPrefix(a, "unix:"); ok {
		if rel, err := filepath.Rel(s.StateDir, path); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return a
}
