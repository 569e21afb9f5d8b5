// Package tally counts how the requests of an app ended, and how long they took.
package tally

import (
	"sync/atomic"

	"passenger/lib/control"
)

// Ends counts how requests ended: by the first digit of the answer's status, at 0
// those whose client went away before.
type Ends [6]atomic.Uint64

// statusClasses are the values of the label status, in the order of Ends.
var statusClasses = [len(Ends{})]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

// Add counts a request that ended with a status, 0 if its client got none.
func (e *Ends) Add(status int) {
	if class := status / 100; class < len(e) {
		e[class].Add(1)
	}
}

// Any says that something was counted.
func (e *Ends) Any() bool {
	for i := range e {
		if e[i].Load() > 0 {
			return true
		}
	}
	return false
}

// Metrics adds the counters to m, with the name of the app that the requests were
// for, empty if there was none.
func (e *Ends) Metrics(m *control.Metrics, app string) {
	for class := 1; class < len(e); class++ {
		m.Counter("passenger_proxy_responses_total", "Answers to clients, by the app that the request was for, if any, and by status.",
			float64(e[class].Load()), "app", app, "status", statusClasses[class])
	}
	m.Counter("passenger_proxy_abandoned_total", "Requests whose client went away before an answer.", float64(e[0].Load()), "app", app)
}
