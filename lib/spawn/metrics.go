package spawn

import (
	"maps"
	"slices"
	"strconv"

	"passenger/lib/control"
	"passenger/lib/protocol"
)

// metrics are described in passenger-watching(7).
func (s *Spawner) metrics(m *control.Metrics) {
	processes := withCosts(&s.meter, s.feed.Get().Processes)
	countStates(m, processes)
	s.outputs.metrics(m)
	s.tally.metrics(m)
	for _, r := range processes {
		if r.Usage != nil {
			processMetrics(m, r)
		}
	}
	preloaders := s.Preloaders()
	addCosts(&s.meter, preloaders)
	preloaderMetrics(m, preloaders)
}

func countStates(m *control.Metrics, processes []protocol.Process) {
	type key struct {
		app   string
		state protocol.State
	}
	counts := map[key]int{}
	var order []key // as in the list, so that two scrapes look alike
	unrecorded := 0
	for _, r := range processes {
		k := key{r.App, r.State}
		if counts[k]++; counts[k] == 1 {
			order = append(order, k)
		}
		if r.Unrecorded != "" && r.State != protocol.Exited {
			unrecorded++
		}
	}
	for _, k := range order {
		m.Gauge("passenger_processes", "Application processes by state.", float64(counts[k]), "app", k.app, "state", string(k.state))
	}
	m.Gauge("passenger_processes_unrecorded", "Processes whose records could not be written to the state directory.", float64(unrecorded))
}

// processMetrics adds those of a process that runs, whose usage is set.
func processMetrics(m *control.Metrics, r protocol.Process) {
	labels := []string{"app", r.App, "slot", strconv.Itoa(r.Slot)}
	if r.ProcessType != "" {
		labels = append(labels, "process_type", r.ProcessType)
	}
	if r.Usage.PSS >= 0 {
		m.Gauge("passenger_process_pss_bytes", "Proportional set size of a process and its children.", float64(r.Usage.PSS), labels...)
	}
	m.Gauge("passenger_process_resident_memory_bytes", "Memory of a process and its children; what several share counts in each.", float64(r.Usage.RSS), labels...)
	m.Counter("passenger_process_cpu_seconds_total", "User and system time of a process and its children.", r.Usage.CPU, labels...)
	m.Gauge("passenger_process_start_time_seconds", "When a process was started, in seconds since 1970.", float64(r.StartedAt.UnixMilli())/1000, labels...)
	m.Gauge("passenger_process_generation", "Generation of a process.", float64(r.Generation), labels...)
}

// preloaderMetrics sums up the preloaders of each app: for a while an old
// generation's is beside the new one's.
func preloaderMetrics(m *control.Metrics, preloaders []protocol.Preloader) {
	count, pss := map[string]int{}, map[string]int64{}
	for _, l := range preloaders {
		count[l.App]++
		if l.Usage != nil && l.Usage.PSS >= 0 {
			pss[l.App] += l.Usage.PSS
		}
	}
	for _, app := range slices.Sorted(maps.Keys(count)) {
		m.Gauge("passenger_preloaders", "Preloaders of an app.", float64(count[app]), "app", app)
		m.Gauge("passenger_preloader_pss_bytes", "Proportional set size of the preloaders of an app.", float64(pss[app]), "app", app)
	}
}
