package proxy

import (
	"os"

	"passenger/lib/protocol"
)

// snapshot is what the pool is told.
func (p *Proxy) snapshot() protocol.ProxyReport {
	r := protocol.ProxyReport{
		PID: os.Getpid(), RoutesVersion: p.index.Load().version,
		Processes: map[string]protocol.ProcessReport{}, Apps: map[string]protocol.AppReport{},
	}
	for _, a := range p.allApps() {
		r.Apps[a.name] = a.report(p.clock, r.Processes)
	}
	return r
}
