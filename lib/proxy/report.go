package proxy

import (
	"context"
	"net/http"
	"os"

	"passenger/lib/control"
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

// A teller tells the pool what happens: all of it first, and then what changed.
type teller struct {
	pool *control.Client
	path string
	kept *protocol.ProxyReport // what the pool has; nil if that is not known
}

func (t *teller) tell(ctx context.Context, r protocol.ProxyReport) error {
	sent := r
	if t.kept != nil {
		sent = r.Since(*t.kept)
	}
	t.kept = nil
	var reply protocol.ReportReply
	err := t.pool.Call(ctx, http.MethodPut, t.path, sent, &reply)
	if err == nil && sent.Changes && !reply.Kept { // it is another pool
		err = t.pool.Call(ctx, http.MethodPut, t.path, r, &reply)
	}
	if err == nil && reply.Kept {
		t.kept = &r
	}
	return err
}
