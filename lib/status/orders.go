package status

import (
	"fmt"
	"strings"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/status/layout"
	"passenger/lib/visible"
)

// writeOrders tells of orders that are in force and not in the settings.
func (a App) writeOrders(b *strings.Builder, st Style) {
	switch a.Paused {
	case protocol.PausedHold:
		fmt.Fprintf(b, "  %s\n", st.yellow("paused: requests wait; passenger-pool resume ends it"))
	case protocol.PausedPage:
		fmt.Fprintf(b, "  %s\n", st.yellow("paused: requests get a maintenance page; passenger-pool resume ends it"))
	}
	if a.Instances != nil {
		fmt.Fprintf(b, "  scaled to %s; passenger-pool scale %s auto ends it\n", layout.Plural(*a.Instances, "process", "processes"), a.Name)
	}
}

// writeRestart tells of a restart that is under way or went wrong. One that
// went well is not worth a line.
func (a App) writeRestart(b *strings.Builder, st Style, now time.Time) {
	r := a.Restart
	if r == nil {
		return
	}
	switch r.State {
	case protocol.RestartRunning:
		fmt.Fprintf(b, "  %s\n", st.yellow(fmt.Sprintf("%s restart to generation %d began %s (%s)",
			r.Mode, r.Generation, layout.Ago(now, r.BeganAt), r.Cause)))
	case protocol.RestartWatching:
		if r.Share > 0 {
			fmt.Fprintf(b, "  %s\n", st.yellow(fmt.Sprintf("generation %d is a canary with %g%% of the clients, for another %s",
				r.Generation, 100*r.Share, layout.Span(max(0, r.WatchedUntil.Sub(now).Seconds())))))
			return
		}
		fmt.Fprintf(b, "  %s\n", st.yellow(fmt.Sprintf("generation %d is on trial for another %s",
			r.Generation, layout.Span(max(0, r.WatchedUntil.Sub(now).Seconds())))))
	case protocol.RestartFailed, protocol.RestartRolledBack:
		what := "failed"
		if r.State == protocol.RestartRolledBack {
			what = "was taken back"
		}
		why := "the cause is not known"
		if r.Error != nil {
			why = visible.Line(r.Error.Summary)
		}
		fmt.Fprintf(b, "  %s %s\n", st.red(fmt.Sprintf("restart to generation %d %s %s:", r.Generation, what, layout.Ago(now, r.EndedAt))), why)
		if a.Generation != r.Generation { // else it goes on to be tried
			fmt.Fprintf(b, "    generation %d serves; next try: the next restart\n", a.Generation)
		}
	}
}
