package proxy

import (
	"errors"
	"log/slog"
	"time"

	"passenger/lib/proxy/buffering"
)

// lease is for a body of the request; see [buffering.NewLease].
func (r *requestBody) lease(of func(connection, app, all *buffering.Share) *buffering.Lease) *buffering.Lease {
	return of(r.req.client.disk, &r.req.mount.app.disk, &r.req.client.proxy.disk)
}

// errDiskSpent says that a request waits until its client takes earlier answers.
var errDiskSpent = errors.New("the client does not take its answers")

// diskSpent says that the connection has answers on disk and that no more may be
// kept there: a further answer would hold a process until the client takes it. A
// client that takes its answers never waits here: what its other requests have on
// disk is free only once they have a process.
func (r *requestBody) diskSpent() bool {
	if r.req.client.disk.Owed() <= 0 {
		return false
	}
	mine := int64(0) // the present request's: it must not wait for itself
	if r.buffer != nil {
		mine = r.buffer.OnDisk()
	}
	for _, s := range [...]*buffering.Share{r.req.client.disk, &r.req.mount.app.disk, &r.req.client.proxy.disk} {
		if s.Short(mine) {
			return true
		}
	}
	return false
}

// diskLogPause is how often a spent share is logged, for each app.
const diskLogPause = 10 * time.Second

// diskSpent logs that a share is spent, and what to do about it.
func (a *app) diskSpent(p *Proxy, s *buffering.Share) {
	if !a.diskLogged.DueAfter(diskLogPause) {
		return
	}
	whose, option := "a connection", "--data-buffer-connection-size"
	switch s {
	case &p.disk:
		whose, option = "all apps", "--data-buffer-size"
	case &a.disk:
		whose, option = "the app", "--data-buffer-app-size"
	}
	slog.Warn("no more is kept on disk; processes wait for their clients", "app", a.name, "limit_of", whose, "bytes", s.Most, "hint", "raise "+option+" if clients are expected to be this slow")
}
