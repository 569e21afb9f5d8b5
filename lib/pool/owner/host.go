package owner

import (
	"context"
	"errors"
	"time"

	"passenger/lib/control"
	"passenger/lib/host"
	"passenger/lib/pool"
	"passenger/lib/protocol"
)

const (
	// hostEvery is how often the machine is looked at, which costs little.
	hostEvery = 2 * time.Second

	// usageEvery is how often the memory of the processes is asked for: the
	// kernel walks all their pages for it.
	usageEvery = 30 * time.Second

	// limitEvery takes its place where there is a memory limit.
	limitEvery = 4 * time.Second
)

// measure tells the pool how the machine is doing.
func (o *Owner) measure(ctx context.Context) {
	var seen protocol.Host
	for last := (time.Time{}); ctx.Err() == nil; rest(ctx, hostEvery) {
		seen = o.host(ctx, seen)
		h := pool.Host{Host: seen}
		if time.Since(last) >= o.usagePause(ctx) {
			h.Processes = o.usage(ctx)
			if len(h.Processes) > 0 {
				last = time.Now()
			}
		}
		o.tell(ctx, func(time.Time) { o.pool.Measured(h) })
	}
}

// host is what processes can have where the spawner starts them, and while that is
// down what it was. Where the spawner cannot tell, as an older one, it is taken to
// be what this program could have.
func (o *Owner) host(ctx context.Context, last protocol.Host) protocol.Host {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	h, err := o.spawner.Host(ctx)
	switch {
	case errors.Is(err, control.ErrDown):
		return last
	case err != nil:
		return host.This.Spare("")
	}
	return h
}

func (o *Owner) usagePause(ctx context.Context) time.Duration {
	pause := usageEvery
	// An error is the end of the pool, after which nothing is measured.
	_ = o.ask(ctx, func(time.Time) {
		if o.pool.LimitsMemory() {
			pause = limitEvery
		}
	})
	return pause
}

// usage is the memory of each process, nil if the spawner does not tell.
func (o *Owner) usage(ctx context.Context) map[string]int64 {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	list, err := o.spawner.Usage(ctx)
	if err != nil {
		return nil // it is down, which is logged elsewhere
	}
	sizes := map[string]int64{}
	for _, p := range list.Processes {
		if u := p.Usage; u != nil && p.State != protocol.Exited {
			if sizes[p.ID] = u.PSS; u.PSS < 0 {
				sizes[p.ID] = u.RSS // that of a process of another user, shared pages and all
			}
		}
	}
	return sizes
}
