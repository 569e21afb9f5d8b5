// Package selftest makes requests of an app through the proxy that serves it,
// while something is done to the server, and counts what became of them.
package selftest

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// mostInFlight bounds how many requests are made at once: those that wait
	// behind an app that does nothing are not to break it.
	mostInFlight = 256

	// patience is how long an answer may take.
	patience = 60 * time.Second
)

// A Load is requests of one page at a steady rate: a request is due whatever
// became of those before it, as from people, and its time counts from then.
type Load struct {
	// Address is where the proxy listens: "unix:PATH" or "HOST:PORT".
	Address string

	// Path may have a query.
	Host, Path string
	Rate       float64 // requests a second
}

// A sample is what became of one request.
type sample struct {
	due    time.Time
	took   time.Duration
	status int
	err    error
}

// Run makes requests until ctx ends, one at least, and returns what became of
// them, in no order.
func (l Load) Run(ctx context.Context) []sample {
	c := l.client()
	defer c.close()
	var mu sync.Mutex // guards samples
	var samples []sample
	var wg sync.WaitGroup
	places := make(chan struct{}, mostInFlight)
	places <- struct{}{} // the first request's
	begun, pause := time.Now(), time.Duration(float64(time.Second)/l.Rate)
	for n := 0; ; n++ {
		due := begun.Add(time.Duration(n) * pause)
		if n > 0 && !(waitUntil(ctx, due) && takePlace(ctx, places)) {
			break
		}
		wg.Go(func() {
			s := l.get(c, due)
			mu.Lock()
			samples = append(samples, s)
			mu.Unlock()
			<-places
		})
	}
	wg.Wait()
	return samples
}

func waitUntil(ctx context.Context, t time.Time) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Until(t)):
		return ctx.Err() == nil
	}
}

func takePlace(ctx context.Context, places chan<- struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l Load) client() *client {
	network, address := "tcp", l.Address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	u := l.url()
	return &client{network: network, address: address, request: fmt.Appendf(nil,
		"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: passenger-pool selftest\r\n\r\n", u.RequestURI(), u.Host)}
}

// get makes one request. It does not end with ctx: what was begun is counted.
func (l Load) get(c *client, due time.Time) sample {
	s := sample{due: due}
	status, err := c.get()
	s.status = status
	if s.took, s.err = time.Since(due), err; err != nil {
		s.err = fmt.Errorf("after %v: %w", s.took.Round(time.Millisecond), err)
	}
	return s
}

// url is what is asked for. A path that is no URI is sent as it was typed, with
// what may not stand there encoded.
func (l Load) url() *url.URL {
	u, err := url.ParseRequestURI(l.Path)
	if err != nil {
		u = &url.URL{Path: l.Path}
	}
	u.Scheme, u.Host = "http", l.Host
	return u
}
