package selftest

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
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
		{"a page that is not there", sample{due: at(0), status: 404}, 0, 0, 1, 0},
		{"a redirection", sample{due: at(0), status: 302}, 0, 0, 0, 0},
		{"a status that is expected", sample{due: at(0), status: 401}, 0, 0, 0, 0},
		{"503 that is expected", sample{due: at(0), status: 503}, 0, 0, 0, 0},
		{"no connection", sample{due: at(0), err: refused}, 1, 0, 0, 0},
		{"a slow one", sample{due: at(0), took: 2 * time.Second, status: 200}, 0, 0, 0, 1},
		{"inside the killed process", sample{due: at(490), took: 20 * time.Millisecond, status: 502}, 0, 1, 0, 0},
		{"502 before the kill", sample{due: at(490), took: time.Millisecond, status: 502}, 1, 0, 0, 0},
		{"502 of a request that came after", sample{due: at(501), took: time.Millisecond, status: 502}, 1, 0, 0, 0},
		{"504 across the kill", sample{due: at(490), took: 20 * time.Millisecond, status: 504}, 1, 0, 0, 0},
	} {
		r := Count([]sample{tt.s}, time.Second, cut, Statuses{"401", "503"})
		if r.Lost != tt.lost || r.CutOff != tt.cutOff || r.Errors != tt.errors || r.Slow != tt.slow || len(r.Failures) != tt.lost+tt.errors {
			t.Errorf("%s: got %+v", tt.name, r)
		}
	}
}

func TestNoMoreIsCutOffThanTheProcessHad(t *testing.T) {
	t.Parallel()
	s := sample{due: at(490), took: 20 * time.Millisecond, status: 502}
	for most, want := range map[int]int{1: 1, 2: 2, -1: 3} {
		r := Count([]sample{s, s, s}, time.Second, Cut{At: at(500), Most: most}, nil)
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
	r := Count(samples, time.Second, Cut{}, nil)
	if r.P50 != 0.051 || r.P99 != 0.1 || r.Max != 0.1 {
		t.Errorf("got p50 %v, p99 %v, longest %v", r.P50, r.P99, r.Max)
	}
	if r := Count(nil, time.Second, Cut{}, nil); r.Max != 0 {
		t.Errorf("got %v of nothing", r.Max)
	}
}

func TestLoadKeepsItsRateAndCountsWhatWasBegun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 50 {
			cancel()
		}
		time.Sleep(50 * time.Millisecond)
		if r.Host != "shop.example.com" || r.URL.Path != "/a" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer s.Close()
	began := time.Now()
	samples := Load{Address: s.Listener.Addr().String(), Host: "shop.example.com", Path: "/a", Rate: 100}.Run(ctx)
	if n, most := len(samples), 1+int(100*time.Since(began).Seconds()); n < 50 || n > most {
		t.Errorf("%d requests, want 50 at least and at most %d", n, most)
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
	if r := Count(samples, time.Second, Cut{}, nil); r.Lost == 0 || r.Lost != r.Requests || !r.Failed() {
		t.Errorf("got %+v", r)
	}
}

func TestErrorsFailATestAndAreNamed(t *testing.T) {
	t.Parallel()
	r := Count([]sample{{due: at(0), took: 3 * time.Millisecond, status: 404}}, time.Second, Cut{}, nil)
	if !r.Failed() || len(r.Failures) != 1 || r.Failures[0] != "error: after 3ms: status 404 Not Found" {
		t.Errorf("got %+v", r)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	s := Statuses{"404", "5xx"}
	for status, want := range map[int]bool{404: true, 403: false, 500: true, 599: true, 400: false} {
		if got := s.Has(status); got != want {
			t.Errorf("%d: got %v", status, got)
		}
	}
	for _, wrong := range []string{"", "4", "4x", "xxx", "600", "40", "4040", "044"} {
		if (Statuses{wrong}).Check() == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}
