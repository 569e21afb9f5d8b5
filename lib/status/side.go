package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/status/layout"
	"passenger/lib/visible"
)

// A Side is the side processes of one type of an app.
type Side struct {
	Type string `json:"process_type"`

	// Count is how many there are to be, nil if the pool did not answer. State and
	// what follows are the pool's word; see [protocol.Side].
	Count     *int                 `json:"count"`
	State     string               `json:"state"`
	Failures  int                  `json:"failures"`
	NextTry   time.Time            `json:"next_try,omitzero"`
	LastError *protocol.SpawnError `json:"last_error,omitempty"`

	Processes []Process `json:"processes"`
}

// side are the side processes that the pool tells of.
func side(pooled []protocol.Side) []Side {
	var list []Side
	for _, p := range pooled {
		list = append(list, Side{
			Type: p.Type, Count: &p.Count, State: p.State, Failures: p.Failures, NextTry: p.NextTry, LastError: p.LastError, Processes: []Process{},
		})
	}
	return list
}

// addSide files a side process under those of its type.
func (a *App) addSide(p Process) {
	i := slices.IndexFunc(a.Side, func(s Side) bool { return s.Type == p.ProcessType })
	if i < 0 {
		i = len(a.Side)
		a.Side = append(a.Side, Side{Type: p.ProcessType, State: unknownState})
	}
	a.Side[i].Processes = append(a.Side[i].Processes, p)
	slices.SortFunc(a.Side[i].Processes, func(p, q Process) int {
		return cmp.Or(p.StartedAt.Compare(q.StartedAt), cmp.Compare(p.ID, q.ID))
	})
}

// all are the processes of the app, side processes among them.
func (a App) all() []*Process {
	var list []*Process
	for i := range a.Processes {
		list = append(list, &a.Processes[i])
	}
	for i := range a.Side {
		for j := range a.Side[i].Processes {
			list = append(list, &a.Side[i].Processes[j])
		}
	}
	return list
}

// writeSide writes a table of the side processes, and what is wrong with them.
func (s Status) writeSide(b *strings.Builder, st Style, a App) {
	if len(a.Side) == 0 {
		return
	}
	t := layout.Table{Right: []bool{true, false, false, true, true, true}, Spare: []int{4, 5, 3}, Width: st.Width}
	var head []layout.Cell
	for _, name := range []string{"PID", "SIDE PROCESS", "STATE", "MEMORY", "CPU", "UPTIME"} {
		head = append(head, layout.Marked(name, st.dim))
	}
	t.Add(head...)
	for _, side := range a.Side {
		if len(side.Processes) == 0 {
			t.Add(layout.Plain(layout.None), layout.Plain(side.Type), layout.Marked(side.State, st.state), layout.Plain(layout.None), layout.Plain(layout.None), layout.Plain(layout.None))
		}
		for _, p := range side.Processes {
			state := a.older(string(p.State), p.Generation)
			t.Add(number(p.PID), layout.Plain(side.Type), layout.Marked(state, st.state), layout.Plain(memory(p.Usage)), layout.Plain(p.cpu()), layout.Plain(layout.Span(p.Uptime)))
		}
	}
	t.Write(b, "  ")
	for _, side := range a.Side {
		if e := side.LastError; e != nil && side.Failures > 0 {
			line := st.red("last start failed " + layout.Ago(s.At, e.At) + ":")
			if !side.NextTry.IsZero() {
				line = st.red(fmt.Sprintf("last start failed %s, next try in %s:", layout.Ago(s.At, e.At), layout.Span(max(0, side.NextTry.Sub(s.At).Seconds()))))
			}
			fmt.Fprintf(b, "  %s %s\n", line, visible.Line(e.Summary))
		}
	}
}
