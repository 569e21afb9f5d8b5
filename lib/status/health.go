package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/status/layout"
	"passenger/lib/visible"
)

// A Level is how bad things are, as the exit status of a monitoring plug-in
// says it.
type Level int

// The levels of monitoring-plugins.org, which Nagios and its descendants read.
const (
	OK Level = iota
	Warning
	Critical
	Unknown
)

func (l Level) String() string {
	return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[l]
}

// Limits are from when on a wait in the queue is a warning, and critical.
type Limits struct{ Warning, Critical time.Duration }

// A Health is what is wrong, the worst first.
type Health struct {
	Level    Level     `json:"level"`
	Status   string    `json:"status"` // the level's word
	Problems []Problem `json:"problems"`

	summary, performance string
}

// A Problem is one thing that is wrong.
type Problem struct {
	Level Level  `json:"level"`
	App   string `json:"app,omitempty"`
	Text  string `json:"text"`
}

// Health judges what runs: a part that does not answer, an app without a process
// that should have one, and a long wait are critical; what asks for somebody to
// look is a warning.
func (s Status) Health(l Limits) Health {
	h := Health{Problems: []Problem{}}
	for _, p := range s.Parts {
		if p.State != Up {
			h.Problems = append(h.Problems, Problem{Level: Critical, Text: fmt.Sprintf("passenger-%s is %s: %s", p.Name, p.State, p.Error)})
		}
	}
	for _, w := range s.Warnings {
		h.Problems = append(h.Problems, Problem{Level: Warning, Text: w})
	}
	queued, wait, busy := 0, 0.0, 0
	for _, a := range s.Apps {
		h.Problems = append(h.Problems, a.problems(l)...)
		if a.Queued != nil {
			queued += *a.Queued
		}
		wait = max(wait, a.OldestWait)
		for _, p := range a.Processes {
			if p.InFlight != nil && *p.InFlight > 0 {
				busy++
			}
		}
	}
	slices.SortStableFunc(h.Problems, func(a, b Problem) int { return int(b.Level - a.Level) })
	if len(h.Problems) > 0 {
		h.Level = h.Problems[0].Level
	}
	h.Status = h.Level.String()
	h.summary = layout.Plural(len(s.Apps), "app", "apps") + ", " + layout.Plural(s.ProcessCount, "process", "processes")
	most := ""
	if s.MaxPoolSize != nil {
		most = fmt.Sprint(*s.MaxPoolSize)
	}
	h.performance = fmt.Sprintf("processes=%d;;;0;%s busy=%d;;;0 queued=%d;;;0 oldest_wait=%.3fs;%g;%g;0",
		s.ProcessCount, most, busy, queued, wait, l.Warning.Seconds(), l.Critical.Seconds())
	if s.Memory != nil {
		h.performance += fmt.Sprintf(" memory=%dB;;;0", *s.Memory)
	}
	return h
}

func (a App) problems(l Limits) []Problem {
	var found []Problem
	add := func(level Level, format string, args ...any) {
		found = append(found, Problem{level, a.Name, visible.Line(a.Name) + ": " + fmt.Sprintf(format, args...)})
	}
	serves := slices.ContainsFunc(a.Processes, func(p Process) bool { return p.State == protocol.Ready || p.State == protocol.Draining })
	if a.LastError != nil {
		level := Warning
		if !serves {
			level = Critical
		}
		add(level, "the last start failed: %s", visible.Line(a.LastError.Summary))
	}
	for _, side := range a.Side {
		if side.Failures > 0 && side.LastError != nil {
			add(Warning, "the last start failed: %s", visible.Line(side.LastError.Summary))
		}
	}
	switch wait := time.Duration(a.OldestWait * float64(time.Second)); {
	case l.Critical > 0 && wait >= l.Critical:
		add(Critical, "a request has waited for %s", layout.Span(a.OldestWait))
	case l.Warning > 0 && wait >= l.Warning:
		add(Warning, "a request has waited for %s", layout.Span(a.OldestWait))
	}
	if r := a.Restart; r != nil && (r.State == protocol.RestartFailed || r.State == protocol.RestartRolledBack) {
		add(Warning, "the restart to generation %d failed, generation %d serves", r.Generation, a.Generation)
	}
	if a.Paused != "" {
		add(Warning, "paused")
	}
	return found
}

// Text is what a plug-in prints: a line with the numbers behind a bar, and then
// what else is wrong. A bar in it would begin the numbers.
func (h Health) Text() string {
	var b strings.Builder
	what := h.summary
	if len(h.Problems) > 0 {
		what = oneLine(h.Problems[0].Text)
	}
	fmt.Fprintf(&b, "PASSENGER %s - %s", h.Level, what)
	if h.performance != "" {
		b.WriteString(" | " + h.performance)
	}
	b.WriteByte('\n')
	for i, p := range h.Problems {
		if i > 0 {
			fmt.Fprintf(&b, "%s: %s\n", p.Level, oneLine(p.Text))
		}
	}
	return b.String()
}

func oneLine(text string) string { return strings.ReplaceAll(visible.Line(text), "|", "/") }

// Unhealthy is the health of what could not be looked at.
func Unhealthy(level Level, why string) Health {
	return Health{Level: level, Status: level.String(), Problems: []Problem{{Level: level, Text: why}}}
}
