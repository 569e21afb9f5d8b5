// Package control serves and calls the control protocol: HTTP/1.1 with JSON
// bodies over a unix socket, callers known by their peer credentials. Package
// protocol holds the words.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/unixsock"
)

const (
	headerTimeout = 10 * time.Second // for a caller to send its header
	bodyTimeout   = 30 * time.Second // and its body
	closeTimeout  = 2 * time.Second  // for calls under way when the server stops
)

// A Server is the control socket of one daemon. Register the calls, then
// Serve.
type Server struct {
	// Program is the daemon's name, such as "passenger-pool".
	Program string

	// Release is its version.
	Release string

	// Listen fills Info's field of that name; nil for none.
	Listen func() []string

	// Healthy says why the daemon is not fit to serve; nil means it always is.
	Healthy func() error

	// Metrics writes Prometheus text for GET /metrics; nil means none but the
	// process's own.
	Metrics func(*Metrics)

	started time.Time
	mux     *http.ServeMux
	stop    context.Context // ends when Serve is to return: watches end with it
}

// A Call answers one request. What it returns is sent as JSON with status 200,
// nil as {}. An error that is not a *protocol.Error is sent as CodeInternal.
type Call func(*http.Request) (any, error)

// Handle registers a call for a pattern of [http.ServeMux], such as
// "GET /v1/apps/{name}".
func (s *Server) Handle(pattern string, call Call) {
	s.init()
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v, err := call(r)
		if err != nil {
			replyError(w, err)
			return
		}
		if r.Method != http.MethodGet {
			slog.Debug("control call", "method", r.Method, "path", r.URL.Path)
		}
		reply(w, http.StatusOK, v)
	})
}

// HandleFeed registers a GET that answers the feed's value, and with ?watch=1
// each new value as a line.
func (s *Server) HandleFeed(path string, feed Source) {
	s.init()
	s.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") != "1" {
			v, _ := feed.Newest()
			reply(w, http.StatusOK, v)
			return
		}
		s.watch(w, r, feed)
	})
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request, feed Source) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	rc := http.NewResponseController(w)
	enc := json.NewEncoder(w)
	keepAlive := time.NewTicker(protocol.WatchKeepAlive)
	defer keepAlive.Stop()
	for {
		v, changed := feed.Newest()
		// A reader that does not read holds no more than this goroutine, and
		// that only so long.
		_ = rc.SetWriteDeadline(time.Now().Add(3 * protocol.WatchKeepAlive)) // unix sockets have deadlines
		if enc.Encode(v) != nil || rc.Flush() != nil {
			return
		}
		for waiting := true; waiting; {
			select {
			case <-changed:
				waiting = false
			case <-keepAlive.C:
				_ = rc.SetWriteDeadline(time.Now().Add(3 * protocol.WatchKeepAlive))
				if _, err := w.Write([]byte("\n")); err != nil || rc.Flush() != nil {
					return
				}
			case <-r.Context().Done():
				return
			case <-s.stop.Done():
				return
			}
		}
	}
}

func (s *Server) init() {
	if s.mux != nil {
		return
	}
	s.started = time.Now()
	s.mux = http.NewServeMux()
	s.Handle("GET "+protocol.PathInfo, func(*http.Request) (any, error) { return s.info(), nil })
	s.mux.HandleFunc("GET "+protocol.PathHealth, s.health)
	s.mux.HandleFunc("GET "+protocol.PathMetrics, s.metrics)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		replyError(w, &protocol.Error{
			Code:    protocol.CodeUnknownRequest,
			Message: fmt.Sprintf("unknown request %s %q", r.Method, r.URL.Path),
			Hint:    "passenger-protocol(7) lists the calls",
		})
	})
}

func (s *Server) info() protocol.Info {
	info := protocol.Info{
		Program: s.Program, Version: s.Release, Protocol: protocol.Version,
		PID: os.Getpid(), StartedAt: s.started, Uptime: time.Since(s.started).Seconds(),
	}
	if s.Listen != nil {
		info.Listen = s.Listen()
	}
	return info
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	if s.Healthy != nil {
		if err := s.Healthy(); err != nil {
			reply(w, http.StatusServiceUnavailable, protocol.Health{Reason: err.Error()})
			return
		}
	}
	reply(w, http.StatusOK, protocol.Health{OK: true})
}

func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	m := &Metrics{}
	m.Gauge("passenger_up", "1 while the daemon runs.", 1, "program", s.Program, "version", s.Release)
	m.Gauge("passenger_uptime_seconds", "Time since the daemon started.", time.Since(s.started).Seconds(), "program", s.Program)
	if s.Metrics != nil {
		s.Metrics(m)
	}
	_, _ = w.Write(m.Text()) // the caller is gone; nobody is left to tell
}

// Serve answers calls on l until ctx ends, then gives those under way a moment
// to finish. It closes l.
func (s *Server) Serve(ctx context.Context, l *net.UnixListener) error {
	s.init()
	s.stop = ctx
	srv := &http.Server{
		Handler:           s.guard(s.mux),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       time.Minute,
		ConnContext:       withPeer,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	var wg sync.WaitGroup
	stopped := make(chan struct{})
	wg.Go(func() {
		select {
		case <-ctx.Done():
		case <-stopped:
		}
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			srv.Close()
		}
	})
	err := srv.Serve(l)
	close(stopped)
	wg.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", l.Addr(), err)
}

type peerKey struct{}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	if uc, ok := c.(*net.UnixConn); ok {
		if peer, err := unixsock.PeerOf(uc); err == nil {
			return context.WithValue(ctx, peerKey{}, peer)
		}
	}
	return ctx
}

// guard lets in root and the daemon's own user, and no browser.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(protocol.HeaderProtocol, strconv.Itoa(protocol.Version))
		w.Header().Set(protocol.HeaderProgram, ProgramHeader(s.Program, s.Release))
		if err := s.admit(r); err != nil {
			replyError(w, err)
			return
		}
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) // unix sockets have deadlines
		r.Body = http.MaxBytesReader(w, r.Body, protocol.MaxBody)
		next.ServeHTTP(w, r)
	})
}

func (s *Server) admit(r *http.Request) error {
	if r.Header.Get("Origin") != "" || r.Header.Get("Referer") != "" {
		return &protocol.Error{Code: protocol.CodeNotAllowed, Message: "a control socket does not talk to browsers"}
	}
	peer, ok := r.Context().Value(peerKey{}).(unixsock.Peer)
	if !ok || (peer.UID != 0 && peer.UID != os.Geteuid()) {
		return &protocol.Error{
			Code:    protocol.CodeNotAllowed,
			Message: fmt.Sprintf("user %d may not talk to this daemon", peer.UID),
			Hint:    fmt.Sprintf("run it as root or as user %d", os.Geteuid()),
		}
	}
	if v := r.Header.Get(protocol.HeaderProtocol); v != "" {
		if n, err := strconv.Atoi(v); err != nil || n > protocol.Version {
			return &protocol.Error{
				Code:    protocol.CodeVersionMismatch,
				Message: fmt.Sprintf("%s speaks protocol %d, the caller %q", s.Program, protocol.Version, v),
				Hint:    "upgrade " + s.Program,
			}
		}
	}
	return nil
}

// Decode reads a request's JSON body into v. Unknown fields are ignored.
func Decode(r *http.Request, v any) error {
	if err := json.NewDecoder(r.Body).Decode(v); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return &protocol.Error{Code: protocol.CodeTooLarge, Message: fmt.Sprintf("the body is over %d bytes", tooLarge.Limit)}
		}
		return &protocol.Error{Code: protocol.CodeBadRequest, Message: fmt.Sprintf("the body is not the JSON expected: %v", err)}
	}
	return nil
}

// ProgramHeader is the value of protocol.HeaderProgram for this process.
func ProgramHeader(program, release string) string {
	return fmt.Sprintf("%s/%s pid=%d", program, release, os.Getpid())
}

func reply(w http.ResponseWriter, status int, v any) {
	if v == nil {
		v = struct{}{}
	}
	b, err := json.Marshal(v)
	if err != nil {
		replyError(w, fmt.Errorf("internal error: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the caller is gone; nobody is left to tell
}

func replyError(w http.ResponseWriter, err error) {
	var pe *protocol.Error
	if !errors.As(err, &pe) {
		pe = &protocol.Error{Code: protocol.CodeInternal, Message: err.Error()}
	}
	reply(w, statusOf(pe.Code), protocol.ErrorReply{Error: pe})
}

// statuses are those of the codes, in the order of their list.
var statuses = []struct {
	status int
	codes  []protocol.Code
}{
	{http.StatusBadRequest, []protocol.Code{protocol.CodeBadRequest}},
	{http.StatusForbidden, []protocol.Code{protocol.CodeNotAllowed}},
	{http.StatusNotFound, []protocol.Code{protocol.CodeUnknownApp, protocol.CodeUnknownProcess, protocol.CodeUnknownRequest}},
	{http.StatusConflict, []protocol.Code{protocol.CodeConflict}},
	{http.StatusRequestEntityTooLarge, []protocol.Code{protocol.CodeTooLarge}},
	{http.StatusUnprocessableEntity, []protocol.Code{protocol.CodeInvalidApp}},
	{http.StatusBadGateway, []protocol.Code{protocol.CodeSpawnFailed, protocol.CodeRestartFailed}},
	{http.StatusServiceUnavailable, []protocol.Code{protocol.CodeStopping, protocol.CodeNotReady}},
	{http.StatusGatewayTimeout, []protocol.Code{protocol.CodeTimeout}},
	{http.StatusHTTPVersionNotSupported, []protocol.Code{protocol.CodeVersionMismatch}},
}

func statusOf(code protocol.Code) int {
	for _, s := range statuses {
		if slices.Contains(s.codes, code) {
			return s.status
		}
	}
	return http.StatusInternalServerError
}

// ID returns a path value that names a process, app or proxy, or an error if
// it is none that could exist.
func ID(r *http.Request, name string) (string, error) {
	v := r.PathValue(name)
	ok := v != "" && len(v) <= 64 && v[0] != '.' && strings.Trim(v, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
	if !ok {
		return "", &protocol.Error{Code: protocol.CodeBadRequest, Message: fmt.Sprintf("%q is no %s", v, name)}
	}
	return v, nil
}
