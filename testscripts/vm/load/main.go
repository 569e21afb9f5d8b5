// Command load makes requests at a steady rate until SIGTERM and counts those
// that failed. It runs in the virtual machine, and in the chroot of upgrade.sh.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	address := flag.String("url", "http://127.0.0.1/", "what to request")
	rate := flag.Int("rate", 20, "requests a second")
	patience := flag.Duration("patience", 40*time.Second, "time for one request")
	websockets := flag.Int("websockets", 0, "upgraded connections to hold; one that ends without a close frame has failed")
	http2 := flag.Bool("http2", false, "speak HTTP/2 over TLS")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()

	l := &load{url: *address, client: client(*patience, *http2)}
	for range *websockets {
		l.clients.Go(func() { l.hold(ctx) })
	}
	every := time.NewTicker(time.Second / time.Duration(*rate))
	defer every.Stop()
	fmt.Println("started")
	for ctx.Err() == nil {
		select {
		case <-every.C:
			l.clients.Go(l.request)
		case <-ctx.Done():
		}
	}
	l.clients.Wait()
	fmt.Printf("total %d requests, slowest %v, failed %d; %d websockets opened, %d closed in order\n",
		l.made.Load(), time.Duration(l.slowest.Load()).Round(time.Millisecond), l.failed.Load(), l.opened.Load(), l.closed.Load())
}

// client believes any certificate: it is not what is tested.
func client(patience time.Duration, http2 bool) *http.Client {
	t := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: new(http.Protocols),
		MaxIdleConns: 1000, MaxIdleConnsPerHost: 1000,
	}
	t.Protocols.SetHTTP2(http2)
	t.Protocols.SetHTTP1(!http2)
	return &http.Client{Timeout: patience, Transport: t}
}

type load struct {
	url     string
	client  *http.Client
	clients sync.WaitGroup

	made, failed, opened, closed atomic.Int64
	slowest                      atomic.Int64 // nanoseconds
}

func (l *load) request() {
	began := time.Now()
	l.made.Add(1)
	resp, err := l.client.Get(l.url)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %s", resp.Status)
		}
	}
	if err != nil {
		l.fail("request", err)
	}
	took := int64(time.Since(began))
	for slowest := l.slowest.Load(); took > slowest && !l.slowest.CompareAndSwap(slowest, took); slowest = l.slowest.Load() {
	}
}

func (l *load) fail(what string, err error) {
	l.failed.Add(1)
	fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), what, err)
}

// hold keeps a WebSocket open, and opens another when it was closed in order.
func (l *load) hold(ctx context.Context) {
	for ctx.Err() == nil {
		if err := l.websocket(ctx); err != nil && ctx.Err() == nil {
			l.fail("websocket", err)
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// websocket reads frames until one says close, with status 1001.
func (l *load) websocket(ctx context.Context) error {
	u, err := url.Parse(l.url)
	if err != nil {
		return err
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "80")
	}
	c, err := net.DialTimeout("tcp", host, 30*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	end := context.AfterFunc(ctx, func() { c.Close() })
	defer end()
	fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", u.Host)
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("status %s", resp.Status)
	}
	l.opened.Add(1)
	for {
		head := make([]byte, 2)
		if _, err := io.ReadFull(r, head); err != nil {
			return fmt.Errorf("ended without a close frame: %w", err)
		}
		payload := make([]byte, head[1]&0x7f) // the app sends short frames only
		if _, err := io.ReadFull(r, payload); err != nil {
			return err
		}
		if head[0]&0xf == 8 {
			if len(payload) < 2 || payload[0] != 3 || payload[1] != 0xe9 {
				return fmt.Errorf("close frame %x, want status 1001", payload)
			}
			l.closed.Add(1)
			return nil
		}
	}
}
