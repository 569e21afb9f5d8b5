package owner

import (
	"passenger/lib/control"
	"passenger/lib/protocol"
)

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
		states := map[protocol.State]int{}
		for _, p := range a.Processes {
			states[p.State]++
		}
		for _, state := range []protocol.State{protocol.Starting, protocol.Ready, protocol.Draining, protocol.Stopping} {
			m.Gauge("passenger_app_processes", "Processes of an app.", float64(states[state]), "app", a.Name, "state", string(state))
		}
		m.Gauge("passenger_app_queued", "Requests that wait for a process.", float64(a.Queued), "app", a.Name)
		m.Gauge("passenger_app_oldest_wait_seconds", "Wait of the oldest of them.", a.OldestWait, "app", a.Name)
		m.Gauge("passenger_app_generation", "Generation of new processes.", float64(a.Generation), "app", a.Name)
		m.Gauge("passenger_app_memory_withholds", "1 while memory keeps an app from a process that it would have.", flag(a.Withheld != ""), "app", a.Name)
		m.Gauge("passenger_app_paused", "1 while requests are kept from an app.", flag(a.Paused != ""), "app", a.Name)
		m.Gauge("passenger_app_restart_failed", "1 if the last restart failed or was taken back.", flag(wentWrong(a.Restart)), "app", a.Name)
		m.Gauge("passenger_app_failures", "Starts that failed in a row.", float64(a.Failures), "app", a.Name)
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
