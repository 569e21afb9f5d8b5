package spawn

import (
	"maps"
	"slices"

	"passenger/lib/control"
	"passenger/lib/output"
	"passenger/lib/protocol"
)

func (s *Spawner) metrics(m *control.Metrics) {
	type key struct {
		app   string
		state protocol.State
	}
	counts := map[key]int{}
	var order []key // as in the list, so that two scrapes look alike
	processes := withCosts(&s.meter, s.feed.Get().Processes)
	for _, r := range processes {
		k := key{r.App, r.State}
		if counts[k]++; counts[k] == 1 {
			order = append(order, k)
		}
	}
	for _, k := range order {
		m.Gauge("passenger_processes", "Application processes by state.", float64(counts[k]), "app", k.app, "state", string(k.state))
	}
	unrecorded := 0
	for _, r := range processes {
		if r.Unrecorded != "" && r.State != protocol.Exited {
			unrecorded++
		}
	}
	m.Gauge("passenger_processes_unrecorded", "Processes whose records could not be written to the state directory.", float64(unrecorded))
	if log, ok := s.Log.(*output.Log); ok {
		m.Counter("passenger_output_dropped_lines_total", "Lines of apps that a log could not take.", float64(log.Dropped()), "log", "spawner")
		limited := log.Limited()
		for _, app := range slices.Sorted(maps.Keys(limited)) {
			m.Counter("passenger_output_limited_lines_total", "Lines that an app wrote into the spawner's log beyond its rate, which were dropped.", float64(limited[app]), "app", app)
		}
	}
	for path, lines := range s.logFiles.Dropped() {
		m.Counter("passenger_output_dropped_lines_total", "Lines of apps that a log could not take.", float64(lines), "log", path)
	}
	for _, r := range processes {
		if r.Usage == nil {
			continue
		}
		if r.Usage.PSS >= 0 {
			m.Gauge("passenger_process_pss_bytes", "Proportional set size of a process group.", float64(r.Usage.PSS), "app", r.App, "process", r.ID)
		}
		m.Counter("passenger_process_cpu_seconds_total", "User and system time of a process group.", r.Usage.CPU, "app", r.App, "process", r.ID)
	}
}
