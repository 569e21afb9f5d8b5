package status

import (
	"cmp"
	"context"
	"strings"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
	"passenger/lib/status/layout"
	"passenger/lib/visible"
)

// Requests asks the proxy for the requests in flight, the oldest first.
func (c Caller) Requests(ctx context.Context, dir statedir.Dir) ([]protocol.Request, error) {
	ctx, cancel := c.Bound(ctx)
	defer cancel()
	var list protocol.RequestList
	client := control.NewClient(dir.Socket(statedir.Proxy), c.Program, c.Release)
	err := client.Call(ctx, "GET", protocol.PathRequests, nil, &list)
	return list.Requests, err
}

// Chosen keeps the requests of an app, or of all if it is empty, that are older
// than least.
func Chosen(all []protocol.Request, app string, least time.Duration) []protocol.Request {
	kept := []protocol.Request{}
	for _, r := range all {
		if (app == "" || r.App == app) && r.Age > least.Seconds() {
			kept = append(kept, r)
		}
	}
	return kept
}

// RequestsText is a table of requests for people.
func RequestsText(requests []protocol.Request, st Style) string {
	if len(requests) == 0 {
		return "no requests\n"
	}
	t := layout.Table{Right: []bool{true, false, false, true, false, false}, Width: st.Width, Spare: []int{4, 3}}
	var head []layout.Cell
	for _, h := range []string{"AGE", "PHASE", "APP", "PID", "CLIENT", "REQUEST"} {
		head = append(head, layout.Marked(h, st.dim))
	}
	t.Add(head...)
	for _, r := range requests {
		t.Add(layout.Plain(layout.Span(r.Age)), layout.Plain(r.Phase), layout.Plain(cmp.Or(visible.Line(r.App), layout.None)), number(r.PID),
			layout.Plain(cmp.Or(visible.Line(r.Client), layout.None)), layout.Plain(visible.Line(r.Method+" "+r.Host+r.Path)))
	}
	var b strings.Builder
	t.Write(&b, "")
	return b.String()
}
