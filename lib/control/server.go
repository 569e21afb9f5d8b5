// Package control serves and calls the control protocol: HTTP/1.1 with JSON
// bodies over a unix socket, callers known by their peer credentials. Package
// protocol holds the words.
package control

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"time"

	"passenger/lib/account"
	"passenger/lib/loglimit"
	"passenger/lib/protocol"
)

// closeTimeout is how long calls under way have when the server stops.
const closeTimeout = 2 * time.Second

// A Server is the control socket of one daemon. Register its calls, then
// Serve.
type Server struct {
	// Program is the daemon's name, such as "passenger-pool".
	Program string

	// Release is its version.
	Release string

	// Group may call besides root and the daemon's own user, nil for none.
	Group *account.Group

	// SwitchesUsers fills Info's field of that name.
	SwitchesUsers bool

	// Complete adds to Info what one daemon alone has; nil for nothing.
	Complete func(*protocol.Info)

	// Usage fills Info's field of that name where it is asked for, and is told with
	// the metrics; nil for none.
	Usage func() protocol.Usage

	// Healthy says why the daemon is not fit to serve; nil means it always is.
	Healthy func() error

	// Metrics writes Prometheus text for GET /metrics; nil means none but the
	// process's own.
	Metrics func(*Metrics)

	refused loglimit.Limiter // of the message that a caller was refused
	started time.Time
	table   []Call          // what it answers
	stop    context.Context // ends when Serve is to return: watches end with it
}

func (s *Server) init() {
	if !s.started.IsZero() {
		return
	}
	s.started = time.Now()
	s.Register(s.common()...)
}

// common is the table of what every daemon answers.
func (s *Server) common() []Call {
	return []Call{
		{Method: "GET", Path: protocol.PathCalls, Access: protocol.Reads, Handler: s.list},
		{Method: "GET", Path: protocol.PathInfo, Access: protocol.Reads, Handler: s.info},
		{Method: "GET", Path: protocol.PathHealth, Access: protocol.Reads, plain: s.health},
		{Method: "GET", Path: protocol.PathMetrics, Access: protocol.Reads, plain: s.metrics},
	}
}

func (s *Server) info(r *Request) (any, error) {
	info := protocol.Info{
		Program: s.Program, Version: s.Release, Protocol: protocol.Version,
		PID: os.Getpid(), StartedAt: s.started, Uptime: time.Since(s.started).Seconds(), SwitchesUsers: s.SwitchesUsers,
	}
	if s.Complete != nil {
		s.Complete(&info)
	}
	if s.Usage != nil && r.URL.Query().Get("usage") == "1" {
		usage := s.Usage()
		info.Usage = &usage
	}
	return info, nil
}

func (s *Server) health(a *answer) {
	if s.Healthy != nil {
		if err := s.Healthy(); err != nil {
			reply(a, 503, protocol.Health{Reason: err.Error()})
			return
		}
	}
	reply(a, 200, protocol.Health{OK: true})
}

func (s *Server) metrics(a *answer) { a.whole(200, kindText, s.MetricsText()) }

// MetricsText is what GET /metrics answers. The calls are registered before.
func (s *Server) MetricsText() []byte {
	m := &Metrics{}
	s.ownMetrics(m)
	if s.Metrics != nil {
		s.Metrics(m)
	}
	return m.Text()
}

// ownMetrics are those that every daemon has, told apart by the label part. All
// others are of one daemon alone, so that what the daemons say can be joined.
func (s *Server) ownMetrics(m *Metrics) {
	part := strings.TrimPrefix(s.Program, "passenger-")
	gauge := func(name, help string, value float64) { m.Gauge("passenger_"+name, help, value, "part", part) }
	gauge("up", "1 while the daemon runs.", 1)
	m.Gauge("passenger_build_info", "1; the labels tell the daemon's version.", 1, "part", part, "version", s.Release, "go_version", runtime.Version())
	gauge("uptime_seconds", "Time since the daemon started.", time.Since(s.started).Seconds())
	gauge("goroutines", "Goroutines of the daemon; they go up and down with what it does.", float64(runtime.NumGoroutine()))
	if s.Usage == nil {
		return
	}
	usage := s.Usage()
	gauge("resident_memory_bytes", "Memory that the daemon itself has.", float64(usage.RSS))
	m.Counter("passenger_cpu_seconds_total", "User and system time of the daemon itself.", usage.CPU, "part", part)
}

// Serve answers calls on l until ctx ends, then gives those under way a moment
// to finish. It closes l.
func (s *Server) Serve(ctx context.Context, l *net.UnixListener) error {
	s.init()
	s.stop = ctx
	c := callers{server: s, conns: map[*conn]bool{}}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	err := c.accept(l)
	c.end(closeTimeout)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serve %s: %w", l.Addr(), err)
}
