package limits

import "passenger/lib/control"

// Metrics adds the counters of the limits that were met to m, with the name of the app.
func (l *Limiter) Metrics(m *control.Metrics, app string) {
	for k := None + 1; k < kinds; k++ {
		if n := l.Refused[k].Load(); n > 0 {
			m.Counter("passenger_proxy_limited_total", "Requests answered 429 because of a limit.", float64(n), "app", app, "limit", Names[k])
		}
	}
}
