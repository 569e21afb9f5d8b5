package selftest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"passenger/lib/http1"
)

// A Report is what a self-test found. passenger-pool(1) describes it for
// readers without Go.
type Report struct {
	App string `json:"app"`

	// During is what was done to the server meanwhile, empty for nothing.
	During string `json:"during"`

	Requests int `json:"requests"`

	// Lost are requests without an answer, and those answered with 502, 503 or
	// 504. CutOff are those that were inside a process that was killed, and
	// could not be saved; they are not among the lost.
	Lost   int `json:"lost"`
	CutOff int `json:"cut_off"`

	// Errors are other answers with a status of 400 and more that was not
	// expected.
	Errors int `json:"errors"`

	// Retried are requests that the proxy tried on another process, all told.
	Retried int `json:"retried"`

	// Slow took longer than SlowLimit.
	Slow      int     `json:"slow"`
	SlowLimit float64 `json:"slow_limit_seconds"`

	P50 float64 `json:"p50_seconds"`
	P99 float64 `json:"p99_seconds"`
	Max float64 `json:"max_seconds"`

	// Recovered is how long it took until the app was as before, -1 if it was
	// not within the time for it.
	Recovered float64 `json:"recovered_seconds"`

	// Failures says of the first of the lost and the errors what became of them.
	Failures []string `json:"failures"`
}

// shownFailures is how many failed requests a report describes.
const shownFailures = 5

// A Cut is the part of the requests that a killed process may take with it.
type Cut struct {
	At   time.Time
	Most int // requests that it had; -1 if unknown
}

// cutTime is how long after its kill a request that the process had may fail.
const cutTime = time.Second

// Count makes a report of samples. An answer with a status of 400 and more is
// an error unless it is expected.
func Count(samples []sample, slow time.Duration, cut Cut, expected Statuses) Report {
	r := Report{Requests: len(samples), SlowLimit: slow.Seconds(), Failures: []string{}}
	slices.SortFunc(samples, func(a, b sample) int { return a.due.Compare(b.due) })
	times := make([]time.Duration, 0, len(samples))
	for _, s := range samples {
		times = append(times, s.took)
		if s.took > slow {
			r.Slow++
		}
		switch {
		case s.err == nil && (s.status < 400 || expected.Has(s.status)):
		case !s.failed():
			r.Errors++
			r.describe("error", s)
		case cut.covers(s, r.CutOff):
			r.CutOff++
		default:
			r.Lost++
			r.describe("lost", s)
		}
	}
	slices.Sort(times)
	r.P50, r.P99, r.Max = quantile(times, 0.50), quantile(times, 0.99), quantile(times, 1)
	return r
}

func (r *Report) describe(what string, s sample) {
	if len(r.Failures) < shownFailures {
		r.Failures = append(r.Failures, what+": "+s.String())
	}
}

// failed says that nothing was answered, or something by the proxy in place of
// the app.
func (s sample) failed() bool {
	switch s.status {
	case 502, 503, 504:
		return true
	}
	return s.err != nil
}

func (s sample) String() string {
	if s.err != nil {
		return s.err.Error()
	}
	return strings.TrimSpace(fmt.Sprintf("after %v: status %d %s", s.took.Round(time.Millisecond), s.status, http1.Phrase(s.status)))
}

// covers says that a failed request was inside the killed process: it was under
// way when that was killed, and was told 502. had is how many were already.
func (c Cut) covers(s sample, had int) bool {
	end := s.due.Add(s.took)
	return !c.At.IsZero() && s.status == 502 && s.due.Before(c.At) &&
		end.After(c.At) && end.Before(c.At.Add(cutTime)) && (c.Most < 0 || had < c.Most)
}

// quantile of sorted times in seconds, 0 of none.
func quantile(times []time.Duration, q float64) float64 {
	if len(times) == 0 {
		return 0
	}
	return times[min(int(q*float64(len(times))), len(times)-1)].Seconds()
}

// Failed says that requests were lost or answered with errors, or that the app
// is not as before.
func (r Report) Failed() bool { return r.Lost > 0 || r.Errors > 0 || r.Recovered < 0 }

// Text renders the report for people.
func (r Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests of app %q during %s\n", r.Requests, r.App, cmp.Or(r.During, "nothing"))
	fmt.Fprintf(&b, "  %d lost, %d cut off in a killed process, %d retried, %s\n", r.Lost, r.CutOff, r.Retried, plural(r.Errors, "error", "errors"))
	fmt.Fprintf(&b, "  p50 %s, p99 %s, longest %s, %d over %s\n",
		milliseconds(r.P50), milliseconds(r.P99), milliseconds(r.Max), r.Slow, milliseconds(r.SlowLimit))
	if r.Recovered < 0 {
		fmt.Fprintln(&b, "  the app is not as it was before")
	} else if r.During != "" {
		fmt.Fprintf(&b, "  as before after %s\n", milliseconds(r.Recovered))
	}
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "  %s\n", f)
	}
	return b.String()
}

func milliseconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
