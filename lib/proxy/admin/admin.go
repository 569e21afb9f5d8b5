// Package admin answers those who watch a proxy from another machine: kubelet,
// Prometheus, a balancer. Its ports only read, and whatever they answer comes
// from the proxy itself: no app is asked and nothing waits in a queue.
package admin

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// A Proxy is what is watched.
type Proxy interface {
	// Pulse returns if the proxy lives, and hangs if it does.
	Pulse()

	Standing() Standing
}

// A Port serves /livez, /readyz and /metrics.
type Port struct {
	Proxy Proxy

	// Metrics is the text of /metrics.
	Metrics func() []byte

	scraping sync.Mutex // one text is made at a time
}

// Each wait for whoever asks is bounded, and so is their number: see crowd.
const (
	headTime  = 5 * time.Second
	writeTime = 30 * time.Second
	restTime  = time.Minute
	lastTime  = time.Second // for answers under way when the proxy ends
	mostHead  = 16 << 10
)

// Serve answers on l until ctx ends. It closes l.
func (p *Port) Serve(ctx context.Context, l net.Listener) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", p.live)
	mux.HandleFunc("GET /readyz", p.ready)
	mux.HandleFunc("GET /metrics", p.metrics)
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headTime,
		ReadTimeout:       headTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       restTime,
		MaxHeaderBytes:    mostHead,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
		defer cancel()
		if server.Shutdown(grace) != nil {
			server.Close()
		}
	})
	err := server.Serve(newCrowd(l))
	if stop() {
		slog.Error("admin port failed", "listen", l.Addr(), "err", err)
		return
	}
	<-ended
}

func (p *Port) live(w http.ResponseWriter, _ *http.Request) {
	p.Proxy.Pulse()
	answer(w, http.StatusOK, "ok")
}

func (p *Port) ready(w http.ResponseWriter, r *http.Request) {
	s := p.Proxy.Standing()
	name := r.URL.Query().Get("app")
	why := s.unready()
	if name != "" {
		why = s.unreadyFor(name)
	}
	switch {
	case why == "":
		answer(w, http.StatusOK, "ok")
	case name != "" && s.Routed && !s.Leaving && s.app(name) == nil:
		answer(w, http.StatusNotFound, why)
	default:
		answer(w, http.StatusServiceUnavailable, why)
	}
}

func (p *Port) metrics(w http.ResponseWriter, _ *http.Request) {
	p.scraping.Lock()
	text := p.Metrics()
	p.scraping.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(text) // an error means that the caller is gone
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}
