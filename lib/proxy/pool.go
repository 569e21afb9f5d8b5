package proxy

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// reportEvery is how often the pool hears of a proxy in which nothing happens.
const reportEvery = time.Second

// reportPause is the least time between reports: a queue may form and
// vanish a thousand times a second.
const reportPause = 20 * time.Millisecond

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
	f := control.Following{Down: "pool is down; serving on with the last route table", Back: "pool is back", Pause: 50 * time.Millisecond}
	f.Follow(ctx, func(heard func()) error {
		var table *protocol.Routes // of this watch
		return control.Watch(ctx, pool, protocol.PathRoutes+"?changes=1", func(line protocol.Routes) (err error) {
			if table, err = table.With(&line); err == nil {
				heard()
				p.SetRoutes(table)
			}
			return err
		})
	})
}

// Report tells the pool every second, and whenever something changed that it
// waits for, what happens here, until ctx ends; then once more, that this
// proxy leaves. A pool that is down misses it.
func (p *Proxy) Report(ctx context.Context, pool *control.Client, id string) {
	to := teller{pool: pool, path: protocol.PathProxies + "/" + id}
	for ctx.Err() == nil {
		p.tell(ctx, &to, false)
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
	p.tell(context.WithoutCancel(ctx), &to, true)
}

func (p *Proxy) tell(ctx context.Context, to *teller, leaving bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*p.reportEvery)
	defer cancel()
	r := p.snapshot()
	r.Leaving = leaving
	if err := to.tell(ctx, r); err != nil {
		// Follow says that the pool is down; the next report tells it all.
		slog.Debug("could not report to the pool", "err", err)
	}
}
