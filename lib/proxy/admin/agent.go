package admin

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"passenger/lib/bug"
)

const (
	// agentTime bounds a connection of the agent's port.
	agentTime = 5 * time.Second

	// mostAsked is how much of what the balancer sends (agent-send) is read, so
	// that closing resets no connection whose answer is under way.
	mostAsked = 1 << 10
)

// ServeAgent answers each connection on l with HAProxy's line, until ctx ends. It
// closes l.
func ServeAgent(ctx context.Context, l net.Listener, p Proxy) {
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	share := &mean{}
	crowd := newCrowd(l)
	defer crowd.closeAll()
	for {
		c, err := crowd.Accept()
		if err == nil {
			wg.Go(func() { tell(c, p, share) })
			continue
		}
		if ctx.Err() != nil {
			return
		}
		slog.Error("agent port failed", "listen", l.Addr(), "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second): // descriptors may be short
		}
	}
}

func tell(c net.Conn, p Proxy, share *mean) {
	defer c.Close()
	defer bug.Caught(nil)
	if c.SetDeadline(time.Now().Add(agentTime)) != nil {
		return
	}
	s := p.Standing()
	if _, err := io.WriteString(c, s.agentLine(share.with(s.share(), time.Now()))); err != nil {
		return
	}
	if half, ok := c.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, c, mostAsked) // until the balancer has read it
	}
}
