package status

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/spawnerror"
	"passenger/lib/status/layout"
	"passenger/lib/visible"
)

const (
	shownExits  = 3 // of the processes that ended lately, for each app
	shownOutput = 5 // last lines of an app that did not become ready
)

// Text renders the status for people.
func (s Status) Text(st Style) string {
	var b strings.Builder
	s.writeHead(&b, st)
	for _, a := range s.Apps {
		if !st.brief {
			fmt.Fprintln(&b)
			s.writeApp(&b, st, a)
			continue
		}
		if st.gaps {
			fmt.Fprintln(&b)
		}
		s.writeBriefly(&b, st, a)
	}
	if len(s.Apps) == 0 {
		fmt.Fprintln(&b, "\nno apps")
	}
	return b.String()
}

// writeHead writes all that is of no app.
func (s Status) writeHead(b *strings.Builder, st Style) {
	fmt.Fprintf(b, "%s  %s\n", st.bold(s.StateDir), st.dim(s.At.Format("2006-01-02 15:04:05")))
	if !st.brief {
		fmt.Fprintln(b)
	}
	s.writeParts(b, st)
	for _, w := range s.Warnings {
		fmt.Fprintf(b, "%s %s\n", st.yellow("warning:"), indented(visible.Text(w)))
	}
}

func (s Status) writeParts(b *strings.Builder, st Style) {
	t := layout.Table{Right: []bool{false, false, false, false, true}}
	for _, p := range s.Parts {
		row := []layout.Cell{layout.Plain("passenger-" + p.Name)}
		switch p.State {
		case Up:
			row = append(row, layout.Marked("up", st.green), pid(p.PID), layout.Plain(layout.Span(p.Uptime)), layout.Plain(memory(p.Usage)), layout.Plain(s.about(p)))
		case Silent:
			row = append(row, layout.Marked("silent", st.red), pid(p.PID), layout.Plain(layout.None), layout.Plain(memory(p.Usage)), layout.Marked(p.Error, st.red))
		default:
			row = append(row, layout.Marked("down", st.red), pid(p.PID), layout.Plain(layout.None), layout.Plain(layout.None), layout.Marked(p.Error, st.red))
		}
		t.Add(row...)
	}
	t.Write(b, "")
	if s.Memory != nil {
		fmt.Fprintf(b, "memory: %s, apps and daemons together\n", layout.Size(*s.Memory))
	}
}

func pid(n int) layout.Cell {
	if n == 0 {
		return layout.Plain(layout.None)
	}
	return layout.Plain("pid " + strconv.Itoa(n))
}

// about is what there is to say of a part that answered.
func (s Status) about(p Part) string {
	switch {
	case p.Name == "pool" && s.MaxPoolSize != nil:
		text := fmt.Sprintf("%d of at most %s", s.ProcessCount, layout.Plural(*s.MaxPoolSize, "process", "processes"))
		if s.MaxPoolSizeReason != "" {
			text += ", " + s.MaxPoolSizeReason
		}
		return text
	case p.Name == "proxy" && s.Connections != nil:
		return fmt.Sprintf("%s, on %s", layout.Plural(*s.Connections, "connection", "connections"), strings.Join(p.Listen, ", "))
	}
	return ""
}

func (s Status) writeApp(b *strings.Builder, st Style, a App) {
	fmt.Fprintf(b, "%s  %s\n", st.bold(a.Name), st.state(a.State))
	fmt.Fprintf(b, "  %s\n", a.place())
	fmt.Fprintf(b, "  %s\n", a.traffic(st))
	a.writeOrders(b, st)
	a.writeRestart(b, st, s.At)
	a.writeError(b, st, s.At)
	if len(a.Processes)+len(a.Preloaders) == 0 {
		fmt.Fprintln(b, "  no processes")
	} else {
		s.writeProcesses(b, st, a)
	}
	s.writeSide(b, st, a)
	for i, p := range a.Exited {
		if i == shownExits {
			fmt.Fprintf(b, "  %d more exited lately\n", len(a.Exited)-i)
			break
		}
		kind := ""
		if p.ProcessType != "" {
			kind = ", a side process " + p.ProcessType + ","
		}
		fmt.Fprintf(b, "  pid %d%s exited %s after %s: %s\n", p.PID, kind, layout.Ago(s.At, p.Exit.At), layout.Span(p.Uptime), visible.Line(p.Exit.Cause))
	}
}

// writeBriefly writes what changes by itself.
func (s Status) writeBriefly(b *strings.Builder, st Style, a App) {
	fmt.Fprintf(b, "%s  %s  %s\n", st.bold(a.Name), st.state(a.State), a.traffic(st))
	a.writeOrders(b, st)
	a.writeRestart(b, st, s.At)
	if e := a.LastError; e != nil {
		fmt.Fprintf(b, "  %s %s\n", st.red("last start failed "+layout.Ago(s.At, e.At)+":"), visible.Line(e.Summary))
	}
	if len(a.Processes)+len(a.Preloaders) > 0 {
		s.writeProcesses(b, st, a)
	}
	s.writeSide(b, st, a)
}

// place says where the app is and as what it runs.
func (a App) place() string {
	var parts []string
	for _, s := range []string{a.AppRoot, a.Type, a.Environment} {
		if s != "" {
			parts = append(parts, visible.Line(s))
		}
	}
	if users := a.users(); users != "" {
		parts = append(parts, "as "+users)
	}
	parts = append(parts, fmt.Sprintf("generation %d", a.Generation))
	if len(a.ServerNames) > 0 || (a.BaseURI != "" && a.BaseURI != "/") {
		host := "any host"
		if len(a.ServerNames) > 0 {
			host = hosts(a.ServerNames)
		}
		parts = append(parts, "serves "+host+strings.TrimSuffix(" "+a.BaseURI, " /"))
	}
	return strings.TrimSpace(strings.Join(parts, ", "))
}

// users names the users that the app's processes run as, or that the one did
// that could not be started: one, unless that was changed a moment ago.
func (a App) users() string {
	var users []string
	for _, p := range a.Processes {
		if p.User != "" && !slices.Contains(users, p.User) {
			users = append(users, p.User)
		}
	}
	if len(users) == 0 && a.LastError != nil {
		return a.LastError.User
	}
	return strings.Join(users, " and ")
}

// traffic says what waits and what was served.
func (a App) traffic(st Style) string {
	var parts []string
	if a.Queued == nil {
		parts = append(parts, "queue unknown")
	} else if *a.Queued == 0 {
		parts = append(parts, "queue empty")
	} else {
		waits := fmt.Sprintf("%s, the oldest for %s", layout.Plural(*a.Queued, "request waits", "requests wait"), layout.Span(a.OldestWait))
		parts = append(parts, st.yellow(waits))
	}
	if a.Requests != nil {
		parts = append(parts, layout.Plural(int(*a.Requests), "request served", "requests served"))
	}
	if a.Upgraded > 0 {
		parts = append(parts, layout.Plural(a.Upgraded, "upgraded connection", "upgraded connections"))
	}
	if a.Rejected != nil && *a.Rejected > 0 {
		parts = append(parts, st.red(layout.Count(*a.Rejected)+" rejected"))
	}
	return strings.Join(parts, "; ")
}

// writeError says why the last start failed, if it did.
func (a App) writeError(b *strings.Builder, st Style, now time.Time) {
	if a.LastError == nil {
		return
	}
	e := a.LastError
	fmt.Fprintf(b, "  %s %s\n", st.red("last start failed "+layout.Ago(now, e.At)+":"), visible.Line(e.Summary))
	if a.Failures > 0 {
		line := layout.Plural(a.Failures, "failure", "failures in a row")
		if !a.NextTry.IsZero() {
			line += ", next try in " + layout.Span(max(0, a.NextTry.Sub(now).Seconds()))
		}
		fmt.Fprintf(b, "    %s\n", line)
	}
	if e.Advice != "" {
		fmt.Fprintf(b, "    advice: %s\n", visible.Line(e.Advice))
	}
	for _, line := range spawnerror.Tail(e.Output, e.AppRoot, shownOutput) {
		fmt.Fprintf(b, "    app: %s\n", visible.Line(line))
	}
}

// indented has the further lines of a text stand out from what is around it.
func indented(text string) string { return strings.ReplaceAll(text, "\n", "\n  ") }

// state marks a state by how good it is.
func (st Style) state(state string) string {
	switch word, _, _ := strings.Cut(state, " "); word {
	case protocol.AppReady, protocol.AppIdle:
		return st.green(state)
	case protocol.AppBackoff, string(protocol.Exited):
		return st.red(state)
	}
	return st.yellow(state)
}

// mostHosts is how many names of an app are shown: some have thousands.
const mostHosts = 20

func hosts(names []string) string {
	if more := len(names) - mostHosts; more > 0 {
		return fmt.Sprintf("%s and %d more names", strings.Join(names[:mostHosts], " "), more)
	}
	return strings.Join(names, " ")
}
