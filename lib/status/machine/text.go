package machine

import (
	"strconv"
	"strings"

	"passenger/lib/status/layout"
	"passenger/lib/visible"
)

// shownOthers is how many programs that are not ours the text names.
const shownOthers = 10

// Text is the report for people.
func (r Report) Text(pen layout.Pen) string {
	var b strings.Builder
	if r.Total > 0 {
		b.WriteString("machine: " + layout.Size(r.Total) + ", " + layout.Size(r.Available) + " available")
		if r.SwapTotal > 0 {
			b.WriteString("; swap: " + layout.Size(r.SwapTotal-r.SwapFree) + " of " + layout.Size(r.SwapTotal) + " used")
		}
		b.WriteByte('\n')
	}
	if r.Limit > 0 {
		b.WriteString("limit of this control group: " + layout.Size(r.Limit) + "\n")
	}
	t := layout.Table{Right: []bool{false, true, true, true, true, true}}
	var head []layout.Cell
	for _, h := range []string{"", "PROCESSES", "MEMORY", "PRIVATE", "SHARED", "SWAP"} {
		head = append(head, layout.Marked(h, pen.Dim))
	}
	t.Add(head...)
	exact := r.Daemons.Exact && r.OtherTotal.Exact
	row := func(name string, u Use) {
		exact = exact && u.Exact
		t.Add(layout.Plain(visible.Line(name)), layout.Plain(strconv.Itoa(u.Processes)), layout.Plain(u.memory()),
			layout.Plain(layout.Size(u.Private)), layout.Plain(layout.Size(u.Shared)), layout.Plain(layout.Size(u.Swap)))
	}
	for _, a := range r.Apps {
		row(a.Name, a.Processes)
		if a.Preloaders.Processes > 0 {
			row("  its preloader", a.Preloaders)
		}
	}
	row("daemons", r.Daemons)
	row("others", r.OtherTotal)
	for _, o := range r.Others[:min(shownOthers, len(r.Others))] {
		row("  "+o.Name, o.Use)
	}
	b.WriteByte('\n')
	t.Write(&b, "")
	if !exact {
		b.WriteString("\n~ is resident memory, which counts shared pages in each process, of those whose share this user may not read\n")
	}
	return b.String()
}

func (u Use) memory() string {
	if !u.Exact {
		return "~" + layout.Size(u.Memory)
	}
	return layout.Size(u.Memory)
}
