package balance

import (
	"errors"
	"math"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/wire"
)

// An aheadWorld is a queueWorld of one process that takes requests which went ahead,
// of an app that is quick. A request has it, and another one waits or went ahead.
type aheadWorld struct {
	*queueWorld
	process *Process
	first   *guest
	second  *guest
	up      *Upstream // of the first
	went    atomic.Int64
	failed  error  // what sending the second one ahead fails with
	before  func() // it goes ahead
}

// inAheadWorld calls f once the first request has the process. change, which may be
// nil, changes what comes before.
func inAheadWorld(t *testing.T, change func(w *aheadWorld), f func(w *aheadWorld)) {
	t.Helper()
	inQueueWorld(t, 1, 1, func(q *queueWorld) {
		w := &aheadWorld{queueWorld: q}
		w.route.Processes[0].DataProtocol, w.route.Processes[0].SessionForm = protocol.ProtocolSession, protocol.SessionAhead
		w.processes = nil
		w.apply()
		w.process = w.processes[0]
		w.pace = pace{known: true}
		w.crowded.Store(math.MaxInt64)
		w.first, w.second = w.guest("first", netip.Addr{}), w.guest("second", netip.Addr{})
		w.second.Ahead = func(p *Process, u *Upstream) (int, error) {
			if p != w.process || u != w.up {
				t.Errorf("it goes ahead to another process or connection")
			}
			if w.before != nil {
				w.before()
			}
			w.went.Add(1)
			return 1, w.failed
		}
		w.up = w.upstream()
		w.ask(w.first, false)
		if change != nil {
			change(w)
		}
		w.Sent(w.process, w.up)
		f(w)
	})
}

func (w *aheadWorld) upstream() *Upstream {
	u := &Upstream{}
	u.OpenStream(&presence{}, w.clock)
	return u
}

// closed says whether u was closed: its clock does not look after it any more.
func (w *aheadWorld) closed(u *Upstream) bool {
	open := false
	w.clock.Each(func(c *wire.Conn) { open = open || c == &u.Conn })
	return !open
}

// comes has the second request come, and says how often it went ahead.
func (w *aheadWorld) comes() int64 {
	go w.ask(w.second, false)
	synctest.Wait()
	return w.went.Load()
}

func (w *aheadWorld) release(u *Upstream) { w.Release(w.process, u, w.clock.Now.Load(), 0, Fine) }

func (w *aheadWorld) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := w.news(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNothingGoesAheadThatWouldLose(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(w *aheadWorld) // the first has its process
		then   func(w *aheadWorld) // the second comes
		want   int64
	}{
		"what a quick app has": {want: 1},
		"just in time":         {then: func(w *aheadWorld) { time.Sleep(slowAfter - 1) }, want: 1},
		"behind a slow one":    {then: func(w *aheadWorld) { time.Sleep(slowAfter) }},
		"beside a slow one": {before: func(w *aheadWorld) {
			p := &Process{Session: true, Form: protocol.SessionAhead, concurrency: 1, inFlight: 1, place: place{since: time.Now().Add(-slowAfter)}}
			p.place.up = w.upstream()
			w.processes = append(w.processes, p)
		}},
		"without credit":         {before: func(w *aheadWorld) { w.pace.credit = -1 }},
		"nothing is known":       {before: func(w *aheadWorld) { w.pace.known = false }},
		"nobody waits lately":    {before: func(w *aheadWorld) { w.crowded.Store(-1) }},
		"another form":           {before: func(w *aheadWorld) { w.process.Form = protocol.SessionApart }},
		"another protocol":       {before: func(w *aheadWorld) { w.process.Session = false }},
		"several at once":        {before: func(w *aheadWorld) { w.process.concurrency, w.process.inFlight = 2, 2 }, then: func(w *aheadWorld) { w.process.inFlight = 2 }},
		"it drains":              {then: func(w *aheadWorld) { w.process.drain() }},
		"it is had alone":        {before: func(w *aheadWorld) { w.process.alone = true }},
		"one waits alone":        {then: func(w *aheadWorld) { w.queue.alone++ }},
		"the app is paused":      {then: func(w *aheadWorld) { w.paused = protocol.PausedHold }},
		"there is a canary":      {then: func(w *aheadWorld) { w.canary.share = 0.5 }},
		"it changes something":   {before: func(w *aheadWorld) { w.second.Ahead = nil }},
		"it wants that process":  {before: func(w *aheadWorld) { w.second.Wanted = []byte(w.process.Cookie) }},
		"it asks for an upgrade": {before: func(w *aheadWorld) { w.second.Upgrade = true }},
		"one that may not is the next": {then: func(w *aheadWorld) {
			go w.ask(w.guest("next", netip.Addr{}), false)
			synctest.Wait()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inAheadWorld(t, c.before, func(w *aheadWorld) {
				if c.then != nil {
					c.then(w)
				}
				if got := w.comes(); got != c.want {
					t.Errorf("%d went ahead, want %d", got, c.want)
				}
				w.queue.alone = 0
			})
		})
	}
}

func TestWhatWentAheadHasItsTurnNext(t *testing.T) {
	t.Parallel()
	inAheadWorld(t, nil, func(w *aheadWorld) {
		w.comes()
		third := w.guest("third", netip.Addr{})
		third.Ahead = func(*Process, *Upstream) (int, error) { return 1, nil }
		go w.ask(third, false)
		w.expect(t, "first")
		if r := w.Report(w.clock, map[string]protocol.ProcessReport{}); r.Queued != 2 {
			t.Errorf("%d wait, want 2", r.Queued)
		}
		w.release(w.up)
		w.expect(t, "second")
		if !w.second.Went || w.second.Upstream != w.up || w.process.inFlight != 1 {
			t.Errorf("it has its turn: sent %v, %d in flight", w.second.Went, w.process.inFlight)
		}
		if w.process.place.next != third.Waiter {
			t.Error("the third one does not follow the second")
		}
		w.release(w.up)
		w.expect(t, "third")
		w.release(w.up)
		if w.process.inFlight != 0 || len(w.process.idle) != 1 || w.closed(w.up) {
			t.Errorf("%d in flight, %d idle", w.process.inFlight, len(w.process.idle))
		}
	})
}

// Nobody goes ahead of a request that still goes to the process.
func TestWhatFollowsWaitsUntilItsPredecessorWasSent(t *testing.T) {
	t.Parallel()
	sends := make(chan bool)
	inAheadWorld(t, func(w *aheadWorld) {
		sends = make(chan bool)
		w.before = func() { <-sends }
	}, func(w *aheadWorld) {
		w.comes()
		third := w.guest("third", netip.Addr{})
		var went atomic.Bool
		third.Ahead = func(*Process, *Upstream) (int, error) { went.Store(true); return 1, nil }
		go w.ask(third, false)
		w.release(w.up)
		w.expect(t, "first")
		if went.Load() {
			t.Error("the third one goes ahead")
		}
		sends <- true
		w.expect(t, "second")
		if !went.Load() || !w.second.Went {
			t.Error("the third one does not go ahead")
		}
		w.release(nil)
	})
}

func TestWhatWentAheadInVainIsNextElsewhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(w *aheadWorld)
		want string
		free bool // it has the process again
	}{
		"the connection ends":          {do: func(w *aheadWorld) { w.release(nil) }, want: "second", free: true},
		"the session never began":      {do: func(w *aheadWorld) { w.Cancel(w.process, false, 0) }, want: "second", free: true},
		"the process reads no further": {do: func(w *aheadWorld) { w.Forgo(w.process, false); w.release(nil) }, want: "second", free: true},
		"it may have begun":            {do: func(w *aheadWorld) { w.Forgo(w.process, true) }, want: "second!cut"},
		"it waited too long":           {do: func(w *aheadWorld) { time.Sleep(2 * time.Minute) }, want: "second!time"},
		"the proxy stops":              {do: func(w *aheadWorld) { w.Stop(ErrGone) }, want: "second!gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inAheadWorld(t, nil, func(w *aheadWorld) {
				w.comes()
				w.expect(t, "first")
				c.do(w)
				w.expect(t, c.want)
				if w.second.Went {
					t.Error("the process is said to have it")
				}
				if c.free {
					return
				}
				w.release(w.up)
				if !w.closed(w.up) {
					t.Error("the connection, on which an answer will come that nobody waits for, is used again")
				}
			})
		})
	}
}

// What followed on a connection that ended is none of the next one's: a reset of that
// tells that the request was not read.
func TestSessionGoesOnOverANewConnection(t *testing.T) {
	t.Parallel()
	inAheadWorld(t, nil, func(w *aheadWorld) {
		w.comes()
		if !w.Followed(w.process) {
			t.Error("nothing followed")
		}
		w.Anew(w.process)
		w.expect(t, "first") // the second waits at the head of the queue
		if w.Followed(w.process) {
			t.Error("something followed on the new connection")
		}
		w.release(nil)
		w.expect(t, "second")
	})
}

func TestWhatCouldNotBeSentAheadIsNextElsewhere(t *testing.T) {
	t.Parallel()
	inAheadWorld(t, func(w *aheadWorld) { w.failed = errors.New("broken") }, func(w *aheadWorld) {
		w.comes()
		w.expect(t, "first")
		w.release(w.up)
		w.expect(t, "second")
		if w.second.Went || !w.closed(w.up) {
			t.Error("the connection is used again")
		}
	})
}

// A process that is to go answers what went ahead, and nothing else.
func TestProcessThatDrainsAnswersWhatWentAhead(t *testing.T) {
	t.Parallel()
	inAheadWorld(t, nil, func(w *aheadWorld) {
		w.comes()
		w.route.Processes[0].Draining = true
		w.apply()
		w.release(w.up)
		w.expect(t, "first", "second")
		if !w.process.busy() {
			t.Error("the process is said to be idle")
		}
		third := w.guest("third", netip.Addr{})
		third.Ahead = w.second.Ahead
		go w.ask(third, false)
		w.release(w.up)
		w.expect(t)
		if w.process.busy() || !w.closed(w.up) {
			t.Error("the process has something still")
		}
	})
}
