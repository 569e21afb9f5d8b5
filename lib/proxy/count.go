package proxy

import (
	"sync/atomic"

	"passenger/lib/control"
)

// A tally counts how requests ended: by the first digit of the answer's status,
// at 0 those whose client went away before.
type tally [6]atomic.Uint64

// statusClasses are the values of the label status, in a tally's order.
var statusClasses = [len(tally{})]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

// count counts the exchange, which has ended.
func (x *exchange) count() {
	t := &x.client.proxy.unrouted
	if x.req.mount != nil {
		t = &x.req.mount.app.tally
		x.countTimes()
	}
	if class := x.answer.status / 100; class < len(t) {
		t[class].Add(1)
	}
}

func (t *tally) metrics(m *control.Metrics, app string) {
	for class := 1; class < len(t); class++ {
		m.Counter("passenger_proxy_responses_total", "Answers to clients, by the app that the request was for, if any, and by status.",
			float64(t[class].Load()), "app", app, "status", statusClasses[class])
	}
	m.Counter("passenger_proxy_abandoned_total", "Requests whose client went away before an answer.", float64(t[0].Load()), "app", app)
}
