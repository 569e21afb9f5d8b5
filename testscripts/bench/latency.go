package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// constantRate asks so often, whatever the answers take: each of the
// connections has its own moments to ask at, and an answer's time counts from
// the moment at which its request was due. A server that stalls so makes all
// late that were due meanwhile, as it would its users.
func constantRate(perSecond, connections int) func(context.Context, *server, time.Duration) (rate, error) {
	return func(ctx context.Context, s *server, duration time.Duration) (rate, error) {
		var (
			wg    sync.WaitGroup
			took  = make([][]time.Duration, connections)
			errs  = make([]error, connections)
			pause = time.Second * time.Duration(connections) / time.Duration(perSecond)
			began = time.Now().Add(10 * time.Millisecond)
		)
		for i := range connections {
			first := began.Add(pause * time.Duration(i) / time.Duration(connections))
			wg.Go(func() { took[i], errs[i] = ask(ctx, s, first, pause, began.Add(duration)) })
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				return rate{}, err
			}
		}
		all := slices.Sorted(slices.Values(slices.Concat(took...)))
		if len(all) == 0 {
			return rate{}, fmt.Errorf("no answer in %v", duration)
		}
		return rate{requests: len(all), perSecond: float64(len(all)) / duration.Seconds(), p99: all[len(all)*99/100]}, nil
	}
}

// ask asks at each moment from first to end on one connection.
func ask(ctx context.Context, s *server, first time.Time, pause time.Duration, end time.Time) (took []time.Duration, err error) {
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for due := first; due.Before(end) && ctx.Err() == nil; due = due.Add(pause) {
		time.Sleep(time.Until(due))
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			return nil, err
		}
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			return nil, err
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
		if r.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("it answers %s", r.Status)
		}
		took = append(took, time.Since(due))
	}
	return took, ctx.Err()
}
