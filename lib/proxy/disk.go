package proxy

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"passenger/lib/proxy/wire"
)

// DiskLimits bound what is kept on disk of bodies, in bytes; 0 for no limit.
type DiskLimits struct {
	All        int64
	App        int64 // of one app's requests and answers
	Connection int64 // of those of one client's connection
}

// A share is a part of the disk for bodies, of the proxy, an app or a
// connection.
type share struct {
	most  int64 // 0 for no limit
	used  atomic.Int64
	spent atomic.Uint64 // times that it did not suffice
}

// take takes n bytes, or says that there are not so many left.
func (s *share) take(n int64) bool {
	if s.used.Add(n) <= s.most || s.most == 0 {
		return true
	}
	s.used.Add(-n)
	return false
}

// A lease is what one body has of the shares that it belongs to. It is taken by
// one goroutine, and may be ended by another.
type lease struct {
	shares [3]*share // the connection's, the app's, the proxy's
	bytes  atomic.Int64
}

func newLease(c *client, a *app) lease {
	return lease{shares: [3]*share{c.disk, &a.disk, &c.proxy.disk}}
}

// grow takes n bytes of every share. If one has not so many left it takes none,
// and returns that one.
func (l *lease) grow(n int64) (spent *share) {
	for i, s := range l.shares {
		if !s.take(n) {
			s.spent.Add(1)
			for _, other := range l.shares[:i] {
				other.used.Add(-n)
			}
			return s
		}
	}
	l.bytes.Add(n)
	return nil
}

// force takes n bytes, whatever is left.
func (l *lease) force(n int64) {
	for _, s := range l.shares {
		s.used.Add(n)
	}
	l.bytes.Add(n)
}

// end gives back what was taken. It may be called again.
func (l *lease) end() {
	n := l.bytes.Swap(0)
	for _, s := range l.shares {
		if s != nil {
			s.used.Add(-n)
		}
	}
}

// errDiskSpent says that a request waits until its client takes earlier answers.
var errDiskSpent = errors.New("the client does not take its answers")

// diskSpent says that the connection has something on disk and that no more may
// be kept there: a further answer would hold a process until the client takes
// it. Whoever takes what it asked for waits for nobody.
func (x *exchange) diskSpent() bool {
	own := x.client.disk.used.Load()
	if own == 0 {
		return false
	}
	mine := int64(0) // the present request's, which is not to wait for itself
	if x.spool != nil {
		mine = x.spool.lease.bytes.Load()
	}
	if own <= mine {
		return false
	}
	for _, s := range [...]*share{x.client.disk, &x.mount.app.disk, &x.client.proxy.disk} {
		if s.most > 0 && s.used.Load()-mine+wire.Large > s.most {
			return true
		}
	}
	return false
}

// diskLogPause is how often a spent share is logged, for each app.
const diskLogPause = 10 * time.Second

// diskSpent logs that a share is spent, and what to do about it.
func (a *app) diskSpent(p *Proxy, s *share) {
	now, last := time.Now().UnixNano(), a.diskLogged.Load()
	if now-last < int64(diskLogPause) || !a.diskLogged.CompareAndSwap(last, now) {
		return
	}
	whose, option := "a connection", "--data-buffer-connection-size"
	switch s {
	case &p.disk:
		whose, option = "all apps", "--data-buffer-size"
	case &a.disk:
		whose, option = "the app", "--data-buffer-app-size"
	}
	slog.Warn("no more is kept on disk; processes wait for their clients", "app", a.name, "limit_of", whose, "bytes", s.most, "hint", "raise "+option+" if clients are slow by right")
}
