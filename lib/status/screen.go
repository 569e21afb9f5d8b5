package status

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"passenger/lib/protocol"
	"passenger/lib/status/layout"
	"passenger/lib/visible"
)

// Screen renders the status for a terminal of the width and height in st: no
// line wraps, and there are no more of them than fit. What is left out first is
// what is no news; then processes of apps that have many; then all but a line
// for each app.
func (s Status) Screen(st Style) string {
	lines := s.fitting(st)
	if len(lines) > st.Height {
		more := len(lines) - st.Height + 1
		lines = append(lines[:st.Height-1], st.dim(layout.Plural(more, "more line does", "more lines do")+" not fit"))
	}
	for i, line := range lines {
		lines[i] = layout.Cut(line, st.Width)
	}
	return strings.Join(lines, "\n")
}

// fitting are the lines of the fullest text that fits the height, or else of
// the shortest.
func (s Status) fitting(st Style) []string {
	lines := split(s.Text(st))
	if len(lines) <= st.Height {
		return lines
	}
	st.brief, st.gaps = true, true
	if lines = split(s.Text(st)); len(lines) <= st.Height {
		return lines
	}
	st.gaps = false
	for st.rows = st.Height; st.rows > 0; st.rows-- {
		if lines = split(s.Text(st)); len(lines) <= st.Height {
			return lines
		}
	}
	return split(s.overview(st))
}

func split(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }

// overview is a text with one line for each app, those in trouble first: the
// last ones may not fit.
func (s Status) overview(st Style) string {
	var b strings.Builder
	s.writeHead(&b, st)
	t := layout.Table{Right: []bool{false, false, true, true, true, true, false}, Width: st.Width, Spare: []int{6, 5, 3, 2}}
	var head []layout.Cell
	for _, h := range []string{"APP", "STATE", "PROCESSES", "IN FLIGHT", "QUEUED", "MEMORY", ""} {
		head = append(head, layout.Marked(h, st.dim))
	}
	t.Add(head...)
	apps := slices.Clone(s.Apps)
	slices.SortStableFunc(apps, func(a, b App) int { return cmp.Compare(a.calm(), b.calm()) })
	for _, a := range apps {
		queued, takes := layout.None, layout.None
		if a.Queued != nil {
			queued = layout.Count(uint64(*a.Queued))
		}
		if a.Memory != nil {
			takes = layout.Size(*a.Memory)
		}
		t.Add(layout.Marked(a.Name, st.bold), layout.Marked(a.State, func(string) string { return st.state(a.State) }), layout.Plain(strconv.Itoa(len(a.Processes))),
			layout.Plain(a.inFlight()), layout.Plain(queued), layout.Plain(takes), layout.Marked(a.Trouble(), st.red))
	}
	t.Write(&b, "")
	return b.String()
}

// calm is 1 for an app that is as it should be, else 0.
func (a App) calm() int {
	if a.Trouble() == "" && (a.State == protocol.AppReady || a.State == protocol.AppIdle) {
		return 1
	}
	return 0
}

// inFlight is how many requests the processes have together.
func (a App) inFlight() string {
	n := 0
	for _, p := range a.Processes {
		if p.InFlight == nil {
			return layout.None
		}
		n += *p.InFlight
	}
	return strconv.Itoa(n)
}

// Trouble says in a few words what is wrong, empty if nothing is.
func (a App) Trouble() string {
	switch {
	case a.LastError != nil:
		return visible.Line(a.LastError.Summary)
	case a.Paused != "":
		return "paused"
	case a.Rejected != nil && *a.Rejected > 0:
		return fmt.Sprintf("%s rejected", layout.Count(*a.Rejected))
	}
	return ""
}
