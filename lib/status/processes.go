package status

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/status/layout"
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
	t := layout.Table{Spare: spareColumns, Width: st.Width}
	var head []layout.Cell
	for _, c := range columns {
		t.Right = append(t.Right, c.right)
		head = append(head, layout.Marked(c.head, st.dim))
	}
	t.Add(head...)
	hidden := 0
	if st.rows > 0 && len(a.Processes)+len(a.Preloaders) > st.rows {
		hidden = len(a.Processes) + len(a.Preloaders) - st.rows
		a.Processes = a.Processes[:min(len(a.Processes), st.rows)]
		a.Preloaders = a.Preloaders[:st.rows-len(a.Processes)]
	}
	for _, p := range a.Processes {
		state := a.older(string(p.State), p.Generation)
		t.Add(number(p.PID), layout.Marked(state, func(string) string { return st.state(state) }),
			layout.Plain(p.inFlight()), layout.Plain(p.processed()), layout.Plain(memory(p.Usage)), layout.Plain(p.cpu()),
			layout.Plain(layout.Span(p.Uptime)), layout.Plain(p.lastUsed(s.At)), layout.Plain(s.address(p.Address)))
	}
	for _, l := range a.Preloaders {
		state := "preloader"
		if l.State != protocol.Ready {
			state += ", " + string(l.State)
		}
		state = a.older(state, l.Generation)
		t.Add(number(l.PID), layout.Marked(state, st.dim), layout.Plain(layout.None), layout.Plain(layout.None), layout.Plain(memory(l.Usage)), layout.Plain(cpu(l.Usage)),
			layout.Plain(layout.Span(max(0, s.At.Sub(l.StartedAt).Seconds()))), layout.Plain(layout.Ago(s.At, l.LastFork)), layout.Plain(layout.None))
	}
	t.Write(b, "  ")
	if hidden > 0 {
		fmt.Fprintf(b, "  %s\n", st.dim(layout.Plural(hidden, "more process", "more processes")))
	}
	if !st.brief && len(a.Processes)+len(a.Preloaders) > 1 && a.Memory != nil {
		fmt.Fprintf(b, "  together: %s\n", a.takes())
	}
}

// takes says how many processes an app has and what memory they take.
func (a App) takes() string {
	parts := layout.Plural(len(a.Processes), "process", "processes")
	if n := len(a.Preloaders); n > 0 {
		parts += " and " + layout.Plural(n, "preloader", "preloaders")
	}
	return parts + ", " + layout.Size(*a.Memory)
}

// older names the generation with a state, unless it is the app's own.
func (a App) older(state string, generation int) string {
	if generation == a.Generation {
		return state
	}
	return fmt.Sprintf("%s (generation %d)", state, generation)
}

// number is a pid; one that is still to be started has none.
func number(pid int) layout.Cell {
	if pid == 0 {
		return layout.Plain(layout.None)
	}
	return layout.Plain(strconv.Itoa(pid))
}

func (p Process) inFlight() string {
	if p.InFlight == nil {
		return layout.None
	}
	return strconv.Itoa(*p.InFlight)
}

func (p Process) processed() string {
	if p.Processed == nil {
		return layout.None
	}
	return layout.Count(*p.Processed)
}

func memory(u *protocol.Usage) string {
	if u == nil {
		return layout.None
	}
	return layout.Size(u.PSS)
}

func (p Process) cpu() string {
	if p.Usage != nil && p.CPUPercent != nil {
		return fmt.Sprintf("%s %.0f%%", layout.Span(p.Usage.CPU), *p.CPUPercent)
	}
	return cpu(p.Usage)
}

func cpu(u *protocol.Usage) string {
	if u == nil {
		return layout.None
	}
	return layout.Span(u.CPU)
}

// lastUsed is when the last request ended; one that has a request is used now.
func (p Process) lastUsed(now time.Time) string {
	switch {
	case p.Processed == nil:
		return layout.None
	case p.InFlight != nil && *p.InFlight > 0:
		return "now"
	}
	return layout.Ago(now, p.LastUsed)
}

// address shortens a socket's path below the state directory, which the first
// line names.
func (s Status) address(a string) string {
	if a == "" {
		return layout.None
	}
	if path, ok := strings.CutPrefix(a, "unix:"); ok {
		if rel, err := filepath.Rel(s.StateDir, path); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return a
}
