package proxy

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// reportEvery is how often the pool hears of a proxy in which nothing happens.
const reportEvery = time.Second

const (
	// reportPause is the least time between reports: a queue may form and
	// vanish a thousand times a second.
	reportPause = 20 * time.Millisecond

	longestPause = time.Second // between attempts to reach the pool

	// alarmAfter is how long the pool is gone before the log says so. Where all
	// stop together, or it is replaced, there is nothing to be alarmed of.
	alarmAfter = time.Second
)

// LoadRoutes puts the table in the file at path into use: the last one that a
// pool published. A missing file is no error.
func (p *Proxy) LoadRoutes(path string) error {
	var t protocol.Routes
	err := statedir.ReadJSON(path, &t)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	p.SetRoutes(&t)
	return nil
}

// Follow puts each table that the pool publishes into use, until ctx ends.
// While the pool is down the last one stays.
func (p *Proxy) Follow(ctx context.Context, pool *control.Client) {
	pause := 50 * time.Millisecond
	alarmed, lost := false, time.Now() // the zero time while it is heard
	for ctx.Err() == nil {
		err := control.Watch(ctx, pool, protocol.PathRoutes, func(t protocol.Routes) error {
			if alarmed {
				slog.Info("pool is back")
			}
			alarmed, lost, pause = false, time.Time{}, 50*time.Millisecond
			p.SetRoutes(&t)
			return nil
		})
		if ctx.Err() != nil {
			return
		}
		if lost.IsZero() {
			lost = time.Now()
		}
		if !alarmed && time.Since(lost) >= alarmAfter {
			alarmed = true
			slog.Warn("pool is down; serving on with the last route table", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// Report tells the pool every second, and whenever something changed that it
// waits for, what happens here, until ctx ends; then once more, that this
// proxy leaves. A pool that is down misses it.
func (p *Proxy) Report(ctx context.Context, pool *control.Client, id string) {
	for ctx.Err() == nil {
		p.tell(ctx, pool, id, false)
		select {
		case <-ctx.Done():
		case <-time.After(reportPause):
			select {
			case <-ctx.Done():
			case <-p.report:
			case <-time.After(p.reportEvery - reportPause):
			}
		}
	}
	p.tell(context.WithoutCancel(ctx), pool, id, true)
}

func (p *Proxy) tell(ctx context.Context, pool *control.Client, id string, leaving bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*p.reportEvery)
	defer cancel()
	r := p.snapshot()
	r.Leaving = leaving
	if err := pool.Call(ctx, http.MethodPut, protocol.PathProxies+"/"+id, r, nil); err != nil {
		// Follow says that the pool is down; the next report tells it all.
		slog.Debug("could not report to the pool", "err", err)
	}
}
