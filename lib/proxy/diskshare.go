package proxy

import (
	"errors"
	"log/slog"
	"time"

	"passenger/lib/proxy/buffering"
)

// lease is for a body of the request.
func (r *requestBody) lease() *buffering.Lease {
	return buffering.NewLease(r.req.client.disk, &r.req.mount.app.disk, &r.req.client.proxy.disk)
}

// errDiskSpent says that a request waits until its client takes earlier answers.
var errDiskSpent = errors.New("the client does not take its answers")

// diskSpent says that the connection has something on disk and that no more may
// be kept there: a further answer would hold a process until the client takes
// it. A client that takes its answers never waits here.
func (r *requestBody) diskSpent() bool {
	own := r.req.client.disk.Used()
	if own == 0 {
		return false
	}
	mine := int64(0) // the present request's: it must not wait for itself
	if r.buffer != nil {
		mine = r.buffer.OnDisk()
	}
	if own <= mine {
		return false
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
