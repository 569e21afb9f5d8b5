package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// bulk is how many bytes go through at once.
const bulk = 1 << 30

// bulkUpstream is this program again, serving on the row's socket.
func bulkUpstream(dir string) (command, error) {
	exe, err := os.Executable()
	return command{args: []string{exe, "-bulk", filepath.Join(dir, "upstream.sock")}}, err
}

// serveBulk answers GET /bulk with so many bytes, takes a PUT of any size, opens a
// WebSocket that says nothing, and says hello to all else, on a unix socket, until
// it is killed.
func serveBulk(socket string) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	piece := make([]byte, 1<<20)
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r.Body}, make([]byte, 1<<20)) // who measures sees it
			fmt.Fprint(w, hello)
		case r.URL.Path == "/bulk":
			w.Header().Set("Content-Length", fmt.Sprint(bulk))
			for left := bulk; left > 0; left -= len(piece) {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		case r.Header.Get("Upgrade") != "":
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
			w.WriteHeader(http.StatusSwitchingProtocols)
			if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_, _ = io.Copy(io.Discard, c) // until the client leaves
				c.Close()
			}
		default:
			fmt.Fprint(w, hello)
		}
	}))
}

// download fetches the bytes once, or more often within the duration.
func download(ctx context.Context, s *server, duration time.Duration) (rate, error) {
	return repeat(ctx, s, duration, func(c net.Conn) error {
		if _, err := io.WriteString(c, "GET /bulk HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
			return err
		}
		head := make([]byte, 4<<10)
		n, err := c.Read(head)
		if err != nil {
			return err
		}
		end := strings.Index(string(head[:n]), "\r\n\r\n")
		if end < 0 || !strings.HasPrefix(string(head), "HTTP/1.1 200 ") {
			return fmt.Errorf("it answers %q", clip(string(head[:n])))
		}
		m, err := discard(c)
		if got := m + int64(n-end-4); got != bulk {
			return fmt.Errorf("%d bytes came instead of %d (%v)", got, bulk, err)
		}
		return err
	})
}

// discard reads to the end.
func discard(c net.Conn) (n int64, err error) {
	b := make([]byte, 1<<20)
	for {
		m, err := c.Read(b)
		n += int64(m)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// upload sends the bytes once, or more often within the duration.
func upload(ctx context.Context, s *server, duration time.Duration) (rate, error) {
	piece := make([]byte, 1<<20)
	return repeat(ctx, s, duration, func(c net.Conn) error {
		if _, err := fmt.Fprintf(c, "PUT /bulk HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", bulk); err != nil {
			return err
		}
		for left := bulk; left > 0; left -= len(piece) {
			if _, err := c.Write(piece); err != nil {
				return err
			}
		}
		b, err := io.ReadAll(c)
		if err == nil && !strings.HasPrefix(string(b), "HTTP/1.1 200 ") {
			err = fmt.Errorf("it answers %q", clip(string(b)))
		}
		return err
	})
}

// repeat does something on a connection of its own, again and again until the
// duration is over; perSecond counts how often.
func repeat(ctx context.Context, s *server, duration time.Duration, do func(net.Conn) error) (r rate, err error) {
	began := time.Now()
	for r.requests == 0 || time.Since(began) < duration && ctx.Err() == nil {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			return r, err
		}
		err = errors.Join(c.SetDeadline(time.Now().Add(startLimit)), do(c))
		c.Close()
		if err != nil {
			return r, err
		}
		r.requests++
		r.bytes += bulk
	}
	r.perSecond = float64(r.requests) / time.Since(began).Seconds()
	return r, ctx.Err()
}
