// Command passenger-demo is the application that "make run" serves. Its page
// says what serves it.
//
// It is an ordinary socket-activated service and knows nothing of this project:
// it takes the listening socket that it is given (LISTEN_FDS) or listens on
// $PORT, reports that it is ready to $NOTIFY_SOCKET, and on SIGTERM answers what
// it has begun before it exits.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// stopTimeout bounds the wait for requests under way after SIGTERM.
const stopTimeout = 20 * time.Second

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatalf("passenger-demo: error: %v", err)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	l, err := listen()
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: &demo{address: l.Addr(), started: time.Now()}, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1) // one goroutine, one error
	go func() { served <- srv.Serve(l) }()
	if err := notify("READY=1"); err != nil {
		return err
	}
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return srv.Shutdown(grace)
}

// listen takes the socket that we were given, as sd_listen_fds(3) does, else
// listens on $PORT.
func listen() (net.Listener, error) {
	if os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) && os.Getenv("LISTEN_FDS") != "" {
		f := os.NewFile(3, "LISTEN_FDS")
		defer f.Close() // FileListener has a duplicate
		return net.FileListener(f)
	}
	port := os.Getenv("PORT")
	if port == "" {
		return nil, errors.New("neither LISTEN_FDS nor PORT is set; try PORT=3000 passenger-demo")
	}
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
}

// notify sends a message as sd_notify(3) does; without NOTIFY_SOCKET it does
// nothing.
func notify(message string) error {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(message)); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	return nil
}

// A demo answers every request but unknown paths with its page.
type demo struct {
	address  net.Addr
	started  time.Time
	requests atomic.Uint64
}

func (d *demo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := d.requests.Add(1)
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	address := d.address.Network() + ":" + d.address.String()
	err := pageTemplate.Execute(w, map[string]any{
		"PID": os.Getpid(), "Address": address, "Requests": n,
		"Uptime":      time.Since(d.started).Round(time.Second),
		"Environment": os.Getenv("PASSENGER_APP_ENV"),
		"Program":     os.Args[0],
		"Client":      r.Header.Get("X-Forwarded-For"),
	})
	if err != nil {
		log.Printf("passenger-demo: %v", err) // the client is gone
	}
}
