package owner

import (
	"sync"

	"passenger/lib/control"
	"passenger/lib/pool"
	"passenger/lib/protocol"
)

// metrics are described in passenger-watching(7).
func (o *Owner) metrics(m *control.Metrics) {
	list, err := o.list()
	if err != nil {
		return // it is stopping
	}
	m.Gauge("passenger_spawner_up", "1 while the spawner is heard.", flag(list.SpawnerUp))
	m.Gauge("passenger_pool_max_processes", "Processes there may be in all.", float64(list.MaxPoolSize))
	m.Gauge("passenger_pool_proxies", "Proxies that report.", float64(len(list.Proxies)))
	m.Gauge("passenger_routes_version", "Version of the route table.", float64(o.routes.Get().Version))
	m.Gauge("passenger_pool_memory_free_bytes", "Bytes that processes can have where they live, 0 if that is not known.", float64(list.Host.MemoryFree))
	refusalMetrics(m, list)
	for _, a := range list.Apps {
		gauge := func(name, help string, value float64) { m.Gauge("passenger_app_"+name, help, value, "app", a.Name) }
		processMetrics(m, a)
		sideMetrics(m, a)
		limitMetrics(gauge, a, list.MaxPoolSize)
		o.ends.metrics(m, a.Name)
		gauge("queued", "Requests that wait for a process.", float64(a.Queued))
		gauge("wanted_processes", "Processes that an app would have for its load, were there room.", float64(a.Wanted))
		gauge("needed_processes", "Processes that the load of an app is worth, not rounded: sum it over machines.", a.Needs)
		gauge("oldest_wait_seconds", "Wait of the oldest of them.", a.OldestWait)
		gauge("generation", "Generation of new processes.", float64(a.Generation))
		gauge("memory_withholds", "1 while memory keeps an app from a process that it would have.", flag(a.Withheld != ""))
		gauge("paused", "1 while requests are kept from an app.", flag(a.Paused != ""))
		gauge("restarting", "1 while a restart is under way.", flag(a.Restart != nil && a.Restart.EndedAt.IsZero()))
		gauge("restart_failed", "1 if the last restart failed or was taken back.", flag(wentWrong(a.Restart)))
		gauge("failures", "Starts that failed in a row.", float64(a.Failures))
	}
}

// processMetrics count an app's processes, and what they could take at once.
func processMetrics(m *control.Metrics, a protocol.App) {
	states := map[protocol.State]int{}
	old, busy, capacity, bounded := 0, 0, 0, true
	for _, p := range a.Processes {
		states[p.State]++
		busy += p.InFlight
		if p.Generation < a.Generation {
			old++
		}
		if p.State == protocol.Ready {
			capacity += p.Concurrency
			bounded = bounded && p.Concurrency > 0
		}
	}
	for _, state := range []protocol.State{protocol.Starting, protocol.Ready, protocol.Draining, protocol.Stopping} {
		m.Gauge("passenger_app_processes", "Processes of an app.", float64(states[state]), "app", a.Name, "state", string(state))
	}
	m.Gauge("passenger_app_processes_old", "Processes of an app that are of an older generation than its newest.", float64(old), "app", a.Name)
	m.Gauge("passenger_app_in_flight", "Requests that the processes of an app have, over all proxies.", float64(busy), "app", a.Name)
	if bounded {
		m.Gauge("passenger_app_capacity", "Requests that the ready processes of an app take at once; missing if there is no bound.", float64(capacity), "app", a.Name)
	}
}

// sideMetrics count an app's side processes.
func sideMetrics(m *control.Metrics, a protocol.App) {
	for _, s := range a.Side {
		labels := []string{"app", a.Name, "process_type", s.Type}
		ready := 0
		for _, p := range s.Processes {
			if p.State == protocol.Ready {
				ready++
			}
		}
		m.Gauge("passenger_app_side_processes", "Side processes of an app that are ready.", float64(ready), labels...)
		m.Gauge("passenger_app_side_processes_wanted", "Side processes that an app is to have.", float64(s.Count), labels...)
		m.Gauge("passenger_app_side_failures", "Starts of side processes that failed in a row.", float64(s.Failures), labels...)
	}
}

// limitMetrics tell the limits of an app that its settings, or an order, name.
func limitMetrics(gauge func(name, help string, value float64), a protocol.App, most int) {
	lower, upper := *a.Config.MinInstances, most
	if a.Config.MaxInstances > 0 {
		upper = min(upper, a.Config.MaxInstances)
	}
	if a.Instances != nil {
		lower, upper = *a.Instances, min(most, *a.Instances)
	}
	gauge("processes_min", "Processes that an app is to have at least.", float64(lower))
	gauge("processes_max", "Processes that an app may have.", float64(upper))
	if a.Config.QueueSize != nil {
		gauge("queue_limit", "Requests that may wait in each proxy; missing if no setting bounds them.", float64(*a.Config.QueueSize))
	}
	if a.Config.MemoryLimit > 0 {
		gauge("memory_limit_bytes", "Memory over which a process is replaced; missing if there is no limit.", float64(a.Config.MemoryLimit)*(1<<20))
	}
}

// ends count how the restarts of each app ended. The zero ends are ready for use.
type ends struct {
	mu   sync.Mutex // guards apps
	apps map[string]map[string]int
}

func (e *ends) add(o pool.Outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.apps == nil {
		e.apps = map[string]map[string]int{}
	}
	if e.apps[o.App] == nil {
		e.apps[o.App] = map[string]int{}
	}
	e.apps[o.App][result(o)]++
}

// result is the outcome in a word, one of the protocol's.
func result(o pool.Outcome) string {
	switch {
	case o.TakenBack:
		return protocol.RestartRolledBack
	case o.Err != nil:
		return protocol.RestartFailed
	}
	return protocol.RestartDone
}

func (e *ends) forget(app string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.apps, app)
}

func (e *ends) metrics(m *control.Metrics, app string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, result := range []string{protocol.RestartDone, protocol.RestartFailed, protocol.RestartRolledBack} {
		m.Counter("passenger_app_restarts_total", "Restarts of an app that ended, by result.", float64(e.apps[app][result]), "app", app, "result", result)
	}
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

func wentWrong(r *protocol.Restart) bool {
	return r != nil && (r.State == protocol.RestartFailed || r.State == protocol.RestartRolledBack)
}
