package proxy

import (
	"testing"
)

// The pool learns from the spawner that a process is gone, often before it hears
// what that did last.
func TestCountsOfAProcessThatLeftAreReported(t *testing.T) {
	t.Parallel()
	gone, stays := start(t, "http", 1, say("ok")), start(t, "http", 1, say("ok"))
	s := serve(t, Config{}, route(gone))
	s.dial().get("/")
	s.set(route(stays))
	s.set(route(stays))
	if got := s.snapshot().Processes[gone.route.ID]; got.Processed != 1 {
		t.Errorf("got %+v, want the one request that it answered", got)
	}
	if got, known := s.snapshot().Processes[stays.route.ID]; !known || got.Processed != 0 {
		t.Errorf("got %+v, want a process without requests", got)
	}
}

func TestWhatTheJudgeWaitsForIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	f := start(t, "http", 1, func(c *call) bool {
		c.reply("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")
		return true
	})
	r := route(f)
	s := serve(t, Config{}, r)
	quiet := func() {
		for len(s.report) > 0 {
			<-s.report
		}
	}
	p := s.dial()
	quiet()
	p.get("/")
	within(t, s.report, "a report of the first answer")
	quiet()
	p.get("/")
	if len(s.report) > 0 {
		t.Error("an error of an app that is not on trial was reported at once")
	}
	r = route(f)
	r.Trial = true
	s.set(r)
	quiet()
	p.get("/")
	within(t, s.report, "a report of an error on trial")
	if got := s.snapshot().Processes[f.route.ID]; got.Errors != 3 {
		t.Errorf("got %+v, want 3 errors", got)
	}
}
