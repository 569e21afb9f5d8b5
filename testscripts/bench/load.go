package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// A load is how wrk is run.
type load struct {
	duration    time.Duration
	connections int
}

// A rate is what a client counted.
type rate struct {
	requests  int // answers to all that it asked, also before and after what else is measured
	perSecond float64
	bytes     int64         // of bodies, if the client counts them
	p99       time.Duration // of the answers, if the client measures it
	late      time.Duration // 99th percentile of how late the client itself was to ask
	rounds    int           // of which this is one that counts, if some do not

	// Of clients that leave: half of the answers in time took no longer than
	// median, half of the refusals no longer than refusal, and all than lastRefusal.
	median, refusal, lastRefusal time.Duration
	refused, offered, capacity   float64 // a second

	// shed is the 99th percentile of the time from the end of a refused request's
	// wait to the end of its answer, by our access log; 0 without one.
	shed time.Duration
}

var (
	requestsRE = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)
	rateRE     = regexp.MustCompile(`(?m)^Requests/sec:\s*([\d.]+)`)
	errorRE    = regexp.MustCompile(`(?m)^\s*((?:Socket errors|Non-2xx).*)$`)
)

// run loads the server for so long. Any error or other status than 2xx and
// 3xx that wrk saw is an error: then it did not measure the work.
func (l load) run(ctx context.Context, url string, duration time.Duration, headers ...string) (rate, error) {
	seconds := strconv.Itoa(max(1, int(duration.Round(time.Second)/time.Second)))
	args := []string{"-t1", "-c" + strconv.Itoa(l.connections), "-d" + seconds + "s", "--timeout", "20s"}
	for _, h := range headers {
		args = append(args, "-H", h)
	}
	cmd := exec.CommandContext(ctx, "wrk", append(args, url)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return rate{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	if m := errorRE.FindSubmatch(out); m != nil {
		return rate{}, fmt.Errorf("wrk saw errors: %s", m[1])
	}
	n, perSecond := requestsRE.FindSubmatch(out), rateRE.FindSubmatch(out)
	if n == nil || perSecond == nil {
		return rate{}, fmt.Errorf("wrk printed no result: %s", out)
	}
	var r rate
	r.requests, _ = strconv.Atoi(string(n[1])) // digits, by the expression
	if r.perSecond, err = strconv.ParseFloat(string(perSecond[1]), 64); err != nil {
		return rate{}, fmt.Errorf("wrk printed %q as rate: %w", perSecond[1], err)
	}
	if r.requests == 0 {
		return rate{}, fmt.Errorf("wrk got no answer in %v", duration)
	}
	return r, nil
}
