// Package web serves what runs over HTTP, for people and for scrapers: metrics,
// the JSON document and the dashboard. It only reads, and a slow or greedy
// client delays nobody else: the daemons are asked once a second at most.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"passenger/lib/loglimit"
	"passenger/lib/statedir"
	"passenger/lib/status"
	"passenger/lib/status/dashboard"
	"passenger/lib/status/scrape"
)

// Bounds of one client.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second // of a whole request
	writeTimeout  = 30 * time.Second // of a whole answer, but for a stream
	idleTimeout   = time.Minute
	mostHeader    = 16 << 10
	closeTimeout  = 2 * time.Second // for answers under way when the server stops
)

// A Server answers. Set the fields, then Serve.
type Server struct {
	Caller status.Caller
	Dir    statedir.Dir

	// Token is what callers over TCP have to know, empty for none.
	Token Token

	// Hosts are names, in lower case, that this server goes by besides its
	// addresses, "localhost" and the machine's own.
	Hosts []string

	owner   int // of the state directory
	guesses loglimit.Limiter
	strict  atomic.Bool // a token is needed and there is none
	source  *source
	history dashboard.History
	streams chan struct{}
	stopped context.Context // ends the streams
}

// Foreign says that apps run as other users, as far as can be told now.
func Foreign(ctx context.Context, c status.Caller, dir statedir.Dir) bool {
	snapshot, err := c.Gather(ctx, dir)
	return err == nil && foreign(snapshot, ownerOfFile(dir.Path()))
}

// ownerOfFile is our own number if the file cannot be looked at.
func ownerOfFile(path string) int {
	fi, err := os.Stat(path)
	if err != nil {
		return os.Geteuid()
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return os.Geteuid()
}

// Serve answers on all listeners until ctx ends. It closes them.
func (s *Server) Serve(ctx context.Context, listeners []net.Listener) error {
	s.owner = ownerOfFile(s.Dir.Path())
	s.source = newSource(s.Caller, s.Dir)
	s.streams = make(chan struct{}, mostStreams)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.stopped = ctx
	server := &http.Server{
		Handler:           s.guard(s.routes()),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    mostHeader,
		ConnContext:       withConn,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.sample(ctx) })
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		wg.Go(func() {
			if err := server.Serve(limit(l, mostConnections)); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
			stop()
		})
	}
	<-ctx.Done()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if server.Shutdown(grace) != nil {
		server.Close()
	}
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// sample keeps the history of the dashboard.
func (s *Server) sample(ctx context.Context) {
	tick := time.NewTicker(dashboard.Step)
	defer tick.Stop()
	for {
		s.source.metrics.start()
		snapshot, err := s.source.snapshot.get(ctx)
		if metrics, merr := s.source.metrics.get(ctx); err == nil && merr == nil && snapshot.err == nil {
			s.history.Add(snapshot.Snapshot, scrape.Durations(metrics))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("POST /login", s.login)
	for path, file := range dashboard.Files() {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { send(w, http.StatusOK, file.Type, file.Content) })
	}
	mux.HandleFunc("GET /metrics", s.measured(s.seen(s.metrics)))
	mux.HandleFunc("GET /scale", s.seen(s.scale))
	mux.HandleFunc("GET /v1/status", s.seen(s.status))
	mux.HandleFunc("GET /v1/dashboard", s.measured(s.seen(s.dashboard)))
	mux.HandleFunc("GET /v1/stream", s.measured(s.seen(s.stream)))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			fail(w, &refusal{http.StatusMethodNotAllowed, "this server only shows: it takes GET"})
			return
		}
		fail(w, &refusal{http.StatusNotFound, "there is no such page"})
	})
	return mux
}

// policy lets a page use what comes from here in files of its own, and nothing
// else: no script or style in the page, no other site, no frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"

// guard is what holds for every answer.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case !s.knowsHost(r):
			fail(w, &refusal{http.StatusMisdirectedRequest, "this server does not go by that name: name it by --host, or use its address"})
		case r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate":
			fail(w, &refusal{http.StatusForbidden, "this server does not answer pages of other sites"})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// seen gives a handler who asks, once he is let in.
func (s *Server) seen(next func(http.ResponseWriter, *http.Request, viewer)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := s.viewerOf(r)
		if err != nil {
			fail(w, err)
			return
		}
		next(w, r, v)
	}
}

// measured asks for the metrics before it is known who asks, where that takes a look
// at all daemons. Otherwise it is known at once.
func (s *Server) measured(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.Token == "" {
			s.source.metrics.start()
		}
		next(w, r)
	}
}

// fail answers with plain text.
func fail(w http.ResponseWriter, err error) {
	var r *refusal
	if !errors.As(err, &r) {
		r = &refusal{http.StatusServiceUnavailable, err.Error()}
	}
	if r.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="passenger-status"`)
	}
	send(w, r.status, "text/plain; charset=utf-8", []byte(r.message+"\n"))
}

func send(w http.ResponseWriter, status int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the caller is gone
}

func sendJSON(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		fail(w, err)
		return
	}
	send(w, http.StatusOK, "application/json", append(b, '\n'))
}
