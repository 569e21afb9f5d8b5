package replay

import (
	"fmt"
	"strings"
	"time"

	"passenger/lib/status/event"
	"passenger/lib/status/layout"
	"passenger/lib/visible"
)

// Text is a replay for people: where it comes from, then a line for each step,
// with what happened in it below.
func (r *Replay) Text(pen layout.Pen) string {
	var b strings.Builder
	for _, x := range r.Recordings {
		x.write(&b, pen)
	}
	if len(r.Steps) == 0 && len(r.Events) == 0 {
		b.WriteString("nothing was recorded in that time\n")
		return b.String()
	}
	fmt.Fprintf(&b, "%s, in steps of %s\n\n", pen.Bold(r.From.Local().Format("2006-01-02 15:04:05")+" to "+r.To.Local().Format("15:04:05")), layout.Span(r.Step))
	lines := r.table(pen)
	b.WriteString(lines[0])
	events := r.Events
	for i, s := range r.Steps {
		var due []event.Event
		for len(events) > 0 && events[0].At.Before(s.At) {
			due, events = append(due, events[0]), events[1:]
		}
		writeEvents(&b, due, pen)
		b.WriteString(lines[i+1])
		for part, why := range s.Silent {
			fmt.Fprintf(&b, "    %s gave no answer to itself: %s\n", pen.Red("passenger-"+part), visible.Line(why))
		}
	}
	writeEvents(&b, events, pen)
	return b.String()
}

func writeEvents(b *strings.Builder, events []event.Event, pen layout.Pen) {
	for _, e := range events {
		for line := range strings.Lines(e.Text(pen)) {
			b.WriteString("  " + line)
		}
	}
}

// write says what a file has, and what it lacks.
func (x *Recording) write(b *strings.Builder, pen layout.Pen) {
	name := "passenger-" + x.Part
	switch {
	case x.missing:
		fmt.Fprintf(b, "%s: %s\n", name, pen.Yellow("there is no "+x.File))
		return
	case x.Error != "":
		fmt.Fprintf(b, "%s: %s\n", name, pen.Red(visible.Line(x.Error)))
		return
	case x.Samples == 0:
		fmt.Fprintf(b, "%s: nothing of that time\n", name)
		return
	}
	fmt.Fprintf(b, "%s: %s, %s to %s\n", name, layout.Plural(x.Samples, "sample", "samples"), x.From.Local().Format("15:04:05"), x.To.Local().Format("15:04:05"))
	note := func(format string, args ...any) { fmt.Fprintf(b, "    %s\n", pen.Yellow(fmt.Sprintf(format, args...))) }
	if x.Lost > 0 {
		note("%s lost", layout.Plural(x.Lost, "record is", "records are"))
	}
	if x.LeftOut > 0 {
		note("%s no room for all apps: up to %s that changed were left out, the least busy ones, and came later",
			layout.Plural(x.LeftOutSamples, "sample had", "samples had"), layout.Plural(x.LeftOut, "app", "apps"))
	}
	if !x.EventsFrom.IsZero() {
		note("so much happened that what was before %s is overwritten", x.EventsFrom.Local().Format("15:04:05"))
	}
}

// table returns a heading, and a line for each step.
func (r *Replay) table(pen layout.Pen) []string {
	t := layout.Table{Right: []bool{false, true, true, true, true, true, true, true, true, true}}
	t.Add(headings(pen)...)
	for _, s := range r.Steps {
		t.Add(s.row()...)
	}
	var b strings.Builder
	t.Write(&b, "")
	return strings.SplitAfter(b.String(), "\n")
}

func headings(pen layout.Pen) []layout.Cell {
	var cells []layout.Cell
	for _, name := range []string{"TIME", "PROCESSES", "STARTING", "BUSY", "QUEUED", "WAIT", "REQUESTS/S", "ERRORS/S", "MEMORY", "CPU"} {
		cells = append(cells, layout.Marked(name, pen.Bold))
	}
	return cells
}

// row is a step over all apps that are shown. What no daemon recorded is a dash.
func (s Step) row() []layout.Cell {
	number := func(v int64) string { return fmt.Sprint(v) }
	seconds := float64(max(1, s.Seconds))
	rate := func(v int64) string { return fmt.Sprintf("%.1f", float64(v)/seconds) }
	cells := []layout.Cell{layout.Plain(s.At.Local().Format("15:04:05"))}
	add := func(write func(int64) string) func(v int64, known bool) {
		return func(v int64, known bool) {
			if !known {
				cells = append(cells, layout.Plain(layout.None))
				return
			}
			cells = append(cells, layout.Plain(write(v)))
		}
	}
	add(number)(s.sum("processes"))
	add(number)(s.sum("starting"))
	add(number)(s.sum("in_flight"))
	add(number)(s.sum("queued"))
	add(func(v int64) string { return layout.Span((time.Duration(v) * time.Millisecond).Seconds()) })(s.most("oldest_wait_milliseconds"))
	add(rate)(s.sum("requests"))
	add(rate)(s.sum("errors"))
	add(layout.Size)(s.sum("memory_bytes"))
	add(func(v int64) string { return fmt.Sprintf("%.0f%%", float64(v)/10/seconds) })(s.sum("cpu_milliseconds"))
	return cells
}
