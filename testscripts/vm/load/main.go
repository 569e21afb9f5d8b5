// Command load makes requests at a steady rate until SIGTERM and counts those
// that failed. It runs in the virtual machine, in the chroot of upgrade.sh, and
// before the hosts of testscripts/hosts.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	address := flag.String("url", "http://127.0.0.1/", "what to request")
	rate := flag.Float64("rate", 20, "requests a second; 0 for WebSockets alone")
	patience := flag.Duration("patience", 40*time.Second, "time for one request")
	clients := flag.Int("clients", 1, "clients that take turns, each with connections of its own")
	fresh := flag.Bool("fresh", false, "make a connection for each request")
	websockets := flag.Int("websockets", 0, "upgraded connections to hold; one that ends without a close frame has failed")
	talk := flag.Duration("talk", 0, "have each WebSocket send a message so often, and wait for its echo; 0 for none")
	http2 := flag.Bool("http2", false, "speak HTTP/2 over TLS")
	progress := flag.Bool("progress", false, "print counts, ten times a second, and failures as lines of JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()

	l := &load{url: *address, talk: *talk, began: time.Now(), json: *progress}
	for range *clients {
		l.turns = append(l.turns, client(*patience, *http2, *fresh))
	}
	for range *websockets {
		l.clients.Go(func() { l.hold(ctx) })
	}
	fmt.Println("started")
	if *progress {
		go l.tell(ctx)
	}
	l.pace(ctx, *rate)
	l.clients.Wait()
	if *progress {
		l.print(true)
		return
	}
	fmt.Printf("total %d requests, slowest %v, failed %d; %d websockets opened, %d closed in order\n",
		l.made.Load(), time.Duration(l.slowest.Load()).Round(time.Millisecond), l.failed.Load(), l.opened.Load(), l.closed.Load())
}

// client believes any certificate: it is not what is tested.
func client(patience time.Duration, http2, fresh bool) *http.Client {
	t := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: new(http.Protocols),
		MaxIdleConns: 1000, MaxIdleConnsPerHost: 1000, DisableKeepAlives: fresh,
	}
	t.Protocols.SetHTTP2(http2)
	t.Protocols.SetHTTP1(!http2)
	return &http.Client{Timeout: patience, Transport: t}
}

type load struct {
	url     string
	turns   []*http.Client
	talk    time.Duration // between two messages of a WebSocket
	began   time.Time
	json    bool
	clients sync.WaitGroup

	made, done, failed, opened, closed atomic.Int64
	slowest                            atomic.Int64 // nanoseconds

	mu sync.Mutex // guards the output
}

// pace makes requests until the context ends; what the machine is late for is left
// out.
func (l *load) pace(ctx context.Context, rate float64) {
	if rate == 0 {
		<-ctx.Done()
		return
	}
	every := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer every.Stop()
	for n := 0; ; n++ {
		select {
		case <-every.C:
			l.clients.Go(func() { l.request(l.turns[n%len(l.turns)]) })
		case <-ctx.Done():
			return
		}
	}
}

func (l *load) request(client *http.Client) {
	began := time.Now()
	l.made.Add(1)
	err := l.get(client)
	if err != nil {
		l.fail("request", began, err)
		return
	}
	l.done.Add(1)
	took := int64(time.Since(began))
	for slowest := l.slowest.Load(); took > slowest && !l.slowest.CompareAndSwap(slowest, took); slowest = l.slowest.Load() {
	}
}

func (l *load) get(client *http.Client) error {
	resp, err := client.Get(l.url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}

// fail tells of a request or a WebSocket that failed, and when it began.
func (l *load) fail(what string, began time.Time, err error) {
	l.failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.json {
		json.NewEncoder(os.Stdout).Encode(map[string]any{"failure": what + ": " + err.Error(), "began": seconds(began)})
		return
	}
	fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), what, err)
}

// tell prints counts until the context ends.
func (l *load) tell(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.print(false)
		case <-ctx.Done():
			return
		}
	}
}

func (l *load) print(last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"made": l.made.Load(), "done": l.done.Load(), "failed": l.failed.Load(), "opened": l.opened.Load(), "closed": l.closed.Load(),
		"slowest": time.Duration(l.slowest.Load()).Seconds(), "seconds": time.Since(l.began).Seconds(), "last": last,
	})
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
