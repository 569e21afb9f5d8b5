package proxy

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/proxy/wire"
)

// metrics are described in passenger-watching(7).
func (p *Proxy) metrics(m *control.Metrics) {
	m.Gauge("passenger_proxy_connections", "Client connections open.", float64(p.connections()))
	m.Gauge("passenger_proxy_routes_version", "Version of the route table in use.", float64(p.index.Load().version))
	m.Gauge("passenger_proxy_kept_memory_bytes", "Memory for answers that clients do not take.", float64(p.memory.Lent()))
	m.Counter("passenger_proxy_unkept_total", "Bodies of requests and answers that could not be kept on disk.", float64(p.unkept.Load()))
	m.Gauge("passenger_proxy_kept_disk_bytes", "Disk for bodies of requests and answers.", float64(p.disk.Used()))
	m.Counter("passenger_proxy_disk_spent_total", "Times that nothing more was kept on disk because of --data-buffer-size.", float64(p.disk.Spent()))
	m.Gauge("passenger_proxy_compression_memory_bytes", "Memory for the compression of answers.", float64(p.encoders.Used()))
	m.Counter("passenger_proxy_uncompressed_total", "Answers sent as they are because of --compression-memory.", float64(p.encoders.Refused.Load()))
	m.Counter("passenger_proxy_idle_closed_total", "Idle client connections closed because descriptors ran short.", float64(p.evicted.Load()))
	if p.AccessLog != nil {
		m.Counter("passenger_proxy_access_log_missing_total", "Lines that the access log had no room for.", float64(p.AccessLog.Missing()))
	}
	if p.Certificates != nil {
		p.Certificates.Metrics(m)
	}
	if p.Traces != nil {
		p.Traces.Metrics(m)
	}
	p.unrouted.Metrics(m, "")
	apps := p.allApps()
	slices.SortFunc(apps, func(a, b *app) int { return cmp.Compare(a.name, b.name) })
	slots := p.index.Load().slots()
	for _, a := range apps {
		a.metrics(m, p.clock, slots)
	}
	p.times.Metrics(m)
}

// slots are those of the processes in the route table, by ID.
func (x *index) slots() map[string]int {
	slots := map[string]int{}
	for _, mount := range x.mounts {
		for _, p := range mount.route.Processes {
			slots[p.ID] = p.Slot
		}
	}
	return slots
}

// used says that there was a request for the app. Until then it has one sample: a
// machine may have a thousand apps of which few are visited.
func (a *app) used(r protocol.AppReport) bool {
	return a.ends.Any() || r.Queued > 0 || r.Upgraded > 0 || a.balance.Waits.Number.Load() > 0
}

func (a *app) metrics(m *control.Metrics, k *wire.Clock, slots map[string]int) {
	processes := map[string]protocol.ProcessReport{}
	r := a.report(k, processes)
	count := func(name, help string, value float64) { m.Counter("passenger_proxy_"+name, help, value, "app", a.name) }
	gauge := func(name, help string, value float64) { m.Gauge("passenger_proxy_"+name, help, value, "app", a.name) }
	gauge("queued", "Requests that wait for a process.", float64(r.Queued))
	if !a.used(r) {
		return
	}
	count("requests_total", "Requests that ended.", float64(r.Requests))
	count("rejected_total", "Requests answered by the proxy because of the queue.", float64(r.Rejected))
	count("retried_total", "Times that a request was tried again: on another process, or on one that had no room for a connection.", float64(r.Retried))
	count("errors_total", "Requests that processes let down: with a 5xx status, or without a whole answer.", float64(r.Errors))
	a.limiter.Metrics(m, a.name)
	a.ends.Metrics(m, a.name)
	a.times.Metrics(m, a.name)
	count("waits_total", "Requests that waited in the queue and got a process.", float64(a.balance.Waits.Number.Load()))
	count("wait_seconds_total", "How long they waited together.", time.Duration(a.balance.Waits.Time.Load()).Seconds())
	gauge("oldest_wait_seconds", "How long the first of them has waited.", r.OldestWait)
	gauge("upgraded", "Upgraded connections open, such as WebSockets.", float64(r.Upgraded))
	count("upgraded_closed_total", "Upgraded connections closed because their process or the proxy was to go.", float64(r.UpgradedClosed))
	gauge("app_kept_disk_bytes", "Disk for bodies of its requests and answers.", float64(a.disk.Used()))
	count("app_disk_spent_total", "Times that nothing more was kept on disk because of --data-buffer-app-size.", float64(a.disk.Spent()))
	if a.cache.Load() != nil {
		count("cache_hits_total", "Requests answered from kept answers.", float64(r.CacheHits))
		count("cache_misses_total", "Requests that no kept answer fitted.", float64(r.CacheMisses))
		count("cache_stores_total", "Answers that were kept.", float64(r.CacheStores))
	}
	// A process that has just gone may be told beside the one that has its slot.
	bySlot := map[int]protocol.ProcessReport{}
	for id, p := range processes {
		if slot := slots[id]; slot > 0 {
			sum := bySlot[slot]
			sum.Processed += p.Processed
			sum.InFlight += p.InFlight
			bySlot[slot] = sum
		}
	}
	for _, slot := range slices.Sorted(maps.Keys(bySlot)) {
		labels := []string{"app", a.name, "slot", strconv.Itoa(slot)}
		m.Counter("passenger_proxy_sessions_total", "Sessions of a process that ended.", float64(bySlot[slot].Processed), labels...)
		m.Gauge("passenger_proxy_in_flight", "Sessions of a process under way.", float64(bySlot[slot].InFlight), labels...)
	}
}
