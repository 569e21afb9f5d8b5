// Package site is the web site that the generic applications serve; they
// differ in where they listen.
package site

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// Serve serves the site called name on l. On SIGTERM it finishes the requests
// under way and returns.
func Serve(name string, l net.Listener) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	srv := &http.Server{Handler: recovered(routes(name)), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1) // one goroutine, one error
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	if err := srv.Shutdown(context.Background()); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func routes(name string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		page.Execute(w, name)
	})
	mux.HandleFunc("POST /form", func(w http.ResponseWriter, r *http.Request) {
		text(w, "name="+r.PostFormValue("name"))
	})
	mux.HandleFunc("POST /upload", upload)
	mux.HandleFunc("GET /stream", stream)
	mux.Handle("GET /redirect", http.RedirectHandler("/", http.StatusFound))
	mux.HandleFunc("GET /cookie", cookie)
	mux.HandleFunc("GET /query", query)
	mux.HandleFunc("GET /error", func(http.ResponseWriter, *http.Request) { panic("deliberate failure") })
	mux.HandleFunc("GET /pid", func(w http.ResponseWriter, r *http.Request) { text(w, fmt.Sprint(os.Getpid())) })
	mux.HandleFunc("GET /sleep", sleep)
	return mux
}

// recovered answers 500 for a handler that panics; net/http would only close
// the connection.
func recovered(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if reason := recover(); reason != nil {
				log.Printf("panic: %v\n%s", reason, debug.Stack())
				http.Error(w, "Internal Server Error", http.StatusInternalServerError)
			}
		}()
		h.ServeHTTP(w, r)
	})
}

func upload(w http.ResponseWriter, r *http.Request) {
	sum := sha256.New()
	if _, err := io.Copy(sum, r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text(w, fmt.Sprintf("%x", sum.Sum(nil)))
}

func stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	piece := make([]byte, 65536)
	for i := range 320 {
		for j := range piece {
			piece[j] = byte(i)
		}
		if _, err := w.Write(piece); err != nil {
			return // the client went away
		}
	}
}

func cookie(w http.ResponseWriter, r *http.Request) {
	seen := "none"
	if c, err := r.Cookie("seen"); err == nil {
		seen = c.Value
	}
	http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes", Path: "/"})
	text(w, "seen="+seen)
}

// query answers the value as bytes: what was sent need not be UTF-8.
func query(w http.ResponseWriter, r *http.Request) {
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name != "q" {
			continue
		}
		q, err := url.QueryUnescape(value)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		text(w, "q="+q)
		return
	}
	text(w, "q=")
}

func sleep(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.FormValue("seconds") + "s")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	time.Sleep(d)
	text(w, "slept "+r.FormValue("seconds"))
}

func text(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, body)
}
