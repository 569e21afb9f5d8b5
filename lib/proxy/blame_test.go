package proxy

import (
	"io"
	"testing"
	"time"
)

// What a client does is no fault of the process: by its faults a new version is
// judged, and a process is replaced.

const longUpload = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\npart of it"

func TestClientsThatBreakTheirUploadOffAreNoErrorsOfTheProcess(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		came := make(chan bool, 1)
		f := start(t, proto, 1, func(c *call) bool {
			came <- true
			_, _ = io.Copy(io.Discard, c.Body)
			return false
		})
		s := serve(t, Config{}, route(f))
		p := s.dial().send(longUpload)
		within(t, came, "the call")
		p.Close()
		eventually(t, "the session ends", func() bool { return s.snapshot().Processes[f.route.ID].Processed == 1 })
		if n := s.snapshot().Processes[f.route.ID].Errors; n != 0 {
			t.Errorf("got %d errors, want 0", n)
		}
	})
}

func TestBodiesThatAreTooLongAreNoErrorsOfTheProcess(t *testing.T) {
	t.Parallel()
	f := start(t, "http", 1, func(c *call) bool {
		_, _ = io.Copy(io.Discard, c.Body)
		return false
	})
	r := route(f)
	r.MaxBodySize = 10
	s := serve(t, Config{}, r)
	got := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").send("9\r\ntoo much!\r\n").receive("POST")
	if got.Status != 413 {
		t.Errorf("got %+v", got)
	}
	if r := s.snapshot().Processes[f.route.ID]; r.Errors != 0 || r.Processed != 1 {
		t.Errorf("got %+v", r)
	}
}

func TestProcessesThatDieDuringAnUploadAreToBlame(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 1, func(*call) bool { return false })
		s := serve(t, Config{}, route(f))
		if got := s.dial().send(longUpload).receive("POST"); got.Status != 502 {
			t.Errorf("got %d, want 502: %s", got.Status, got.Body)
		}
		if n := s.snapshot().Processes[f.route.ID].Errors; n != 1 {
			t.Errorf("got %d errors, want 1", n)
		}
	})
}

// The request time is the process's, and begins when it has the request.
func TestProcessesDoNotGetStuckByClientsThatPause(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		came := make(chan bool, 1)
		f := start(t, proto, 1, func(c *call) bool {
			came <- true
			c.ok(c.body())
			return true
		})
		r := route(f)
		r.RequestTime, r.ReadTimeout = patience.Seconds(), 3600
		s := serve(t, short(func(t *Timeouts) { t.Body = time.Hour }), r)
		p := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n")
		within(t, came, "the call")
		s.pass(3 * patience) // more than the request time
		if got := p.send("3\r\nllo\r\n0\r\n\r\n").receive("POST"); got.Status != 200 || got.Body != "hello" {
			t.Errorf("got %+v", got)
		}
		if n := s.snapshot().Processes[f.route.ID].Stuck; n != 0 {
			t.Errorf("got %d stuck, want 0", n)
		}
	})
}
