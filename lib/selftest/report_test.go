package selftest

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"context"
)

var begun = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return begun.Add(time.Duration(ms) * time.Millisecond) }

func TestRequestsAreCountedByWhatBecameOfThem(t *testing.T) {
	t.Parallel()
	refused := errors.New("connection refused")
	cut := Cut{At: at(500), Most: 1}
	for _, tt := range []struct {
		name                       string
		s                          sample
		lost, cutOff, errors, slow int
	}{
		{"an answer", sample{due: at(0), took: time.Millisecond, status: 200}, 0, 0, 0, 0},
		{"an error of the app", sample{due: at(0), status: 500}, 0, 0, 1, 0},
		{"no connection", sample{due: at(0), err: refused}, 1, 0, 0, 0},
		{"a slow one", sample{due: at(0), took: 2 * time.Second, status: 404}, 0, 0, 0, 1},
		{"inside the killed process", sample{due: at(490), took: 20 * time.Millisecond, status: 502}, 0, 1, 0, 0},
		{"502 before the kill", sample{due: at(490), took: time.Millisecond, status: 502}, 1, 0, 0, 0},
		{"502 of a request that came after", sample{due: at(501), took: time.Millisecond, status: 502}, 1, 0, 0, 0},
		{"503 across the kill", sample{due: at(490), took: 20 * time.Millisecond, status: 503}, 1, 0, 0, 0},
	} {
		r := Count([]sample{tt.s}, time.Second, cut)
		if r.Lost != tt.lost || r.CutOff != tt.cutOff || r.Errors != tt.errors || r.Slow != tt.slow || len(r.Failures) != tt.lost {
			t.Errorf("%s: got %+v", tt.name, r)
		}
	}
}

func TestNoMoreIsCutOffThanTheProcessHad(t *testing.T) {
	t.Parallel()
	s := sample{due: at(490), took: 20 * time.Millisecond, status: 502}
	for most, want := range map[int]int{1: 1, 2: 2, -1: 3} {
		r := Count([]sample{s, s, s}, time.Second, Cut{At: at(500), Most: most})
		if r.CutOff != want || r.Lost != 3-want {
			t.Errorf("most %d: %d cut off and %d lost, want %d cut off", most, r.CutOff, r.Lost, want)
		}
	}
}

func TestQuantiles(t *testing.T) {
	t.Parallel()
	var samples []sample
	for n := range 100 {
		samples = append(samples, sample{due: at(0), took: time.Duration(n+1) * time.Millisecond, status: 200})
	}
	r := Count(samples, time.Second, Cut{})
	if r.P50 != 0.051 || r.P99 != 0.1 || r.Max != 0.1 {
		t.Errorf("got p50 %v, p99 %v, longest %v", r.P50, r.P99, r.Max)
	}
	if r := Count(nil, time.Second, Cut{}); r.Max != 0 {
		t.Errorf("got %v of nothing", r.Max)
	}
}

func TestLoadKeepsItsRateAndCountsWhatWasBegun(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond)
		if r.Host != "shop.example.com" || r.URL.Path != "/a" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	samples := Load{Address: s.Listener.Addr().String(), Host: "shop.example.com", Path: "/a", Rate: 100}.Run(ctx)
	if n := len(samples); n < 25 || n > 51 {
		t.Errorf("%d requests in half a second, want 50", n)
	}
	for _, s := range samples {
		if s.err != nil || s.status != 200 || s.took < 50*time.Millisecond {
			t.Errorf("got %+v", s)
		}
	}
}

func TestLoadTellsWhatItCannotReach(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	samples := Load{Address: l.Addr().String(), Host: "localhost", Path: "/", Rate: 100}.Run(ctx)
	if r := Count(samples, time.Second, Cut{}); r.Lost == 0 || r.Lost != r.Requests || !r.Failed() {
		t.Errorf("got %+v", r)
	}
}
