package testscripts

import (
	"flag"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// loadBound is the longest that a load may last. It is over the longest script's
// time under load, since a load that has ended by itself shows nothing.
const loadBound = scriptBound / 2

var countFaults = flag.Bool("faults", false, "count what clients notice of faults, for two minutes")

// A load is a few clients that make one request after the other.
type load struct {
	header  http.Header // of each request
	stopped chan struct{}
	clients sync.WaitGroup

	good atomic.Int64

	mu     sync.Mutex // guards failed
	failed []string
}

// cmdLoadStart starts clients that GET a path until load-stop, or as many a
// second, whatever becomes of those before, at most MOST:
// load-start NAME PATH [CLIENTS|RATE/s|one/DURATION [MOST]]
func cmdLoadStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: load-start NAME PATH [CLIENTS|RATE/s|one/DURATION [MOST]]")
	}
	w, n := worldOf(ts), 4
	l := &load{stopped: make(chan struct{})}
	w.loads[args[0]] = l
	if len(args) > 2 {
		every, clients, err := parseRate(args[2])
		ts.Check(err)
		if every > 0 {
			most := int(loadBound / every)
			if len(args) > 3 {
				most, err = strconv.Atoi(args[3])
				ts.Check(err)
			}
			l.clients.Go(func() { l.runAt(w, args[1], every, most) })
			return
		}
		n = clients
	}
	for range n {
		l.clients.Go(func() { l.run(w, args[1]) })
	}
	ts.Check(l.await(int64(n)))
}

// parseRate reads how much load there is: a request every so often, or so many
// clients.
func parseRate(s string) (every time.Duration, clients int, err error) {
	if text, ok := strings.CutPrefix(s, "one/"); ok {
		every, err = time.ParseDuration(text)
		return every, 0, err
	}
	text, rated := strings.CutSuffix(s, "/s")
	n, err := strconv.Atoi(text)
	if rated && err == nil {
		return time.Second / time.Duration(n), 0, nil
	}
	return 0, n, err
}

func (l *load) run(w *world, path string) {
	for deadline := time.Now().Add(loadBound); time.Now().Before(deadline); {
		select {
		case <-l.stopped:
			return
		default:
		}
		l.one(w, path)
	}
}

// runAt makes a request each time that so long has passed.
func (l *load) runAt(w *world, path string, every time.Duration, most int) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for range most {
		select {
		case <-l.stopped:
			return
		case <-tick.C:
			l.clients.Go(func() { l.one(w, path) })
		}
	}
}

func (l *load) one(w *world, path string) {
	resp, err := w.do(&request{method: http.MethodGet, path: path, header: l.header})
	switch {
	case err != nil:
		l.fail(err.Error())
	case resp.StatusCode != http.StatusOK:
		l.fail(fmt.Sprintf("status %d: %.300s", resp.StatusCode, resp.body))
	default:
		l.good.Add(1)
	}
}

func (l *load) fail(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, why)
}

// await waits until more requests than n have been answered.
func (l *load) await(n int64) error {
	return eventually(fmt.Sprintf("more than %d answers", n), func() error {
		if got := l.good.Load(); got <= n {
			return fmt.Errorf("got %d", got)
		}
		return nil
	})
}

func (l *load) stop() {
	select {
	case <-l.stopped:
	default:
		close(l.stopped)
	}
	l.clients.Wait()
}

// cmdLoadStop lets the load go on for some more requests, stops it, and fails
// if more than MAX (default: 0) of them failed: load-stop NAME [MAX]
func cmdLoadStop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: load-stop NAME [MAX]")
	}
	l, most := worldOf(ts).loads[args[0]], 0
	if l == nil {
		ts.Fatalf("no load %q", args[0])
	}
	if len(args) > 1 {
		var err error
		most, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	err := l.await(l.good.Load() + 20)
	l.stop()
	if len(l.failed) > most {
		ts.Fatalf("%d requests failed and %d did not; want at most %d failed:\n%s",
			len(l.failed), l.good.Load(), most, strings.Join(l.failed[:min(5, len(l.failed))], "\n"))
	}
	ts.Check(err)
	ts.Logf("%d requests, %d failed", l.good.Load(), len(l.failed))
}

// cmdLoadAwait waits until so many requests of a load had their end, good or
// bad: load-await NAME N
func cmdLoadAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: load-await NAME N")
	}
	l := worldOf(ts).loads[args[0]]
	if l == nil {
		ts.Fatalf("no load %q", args[0])
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(eventually(fmt.Sprintf("%d requests", n), func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if got := int(l.good.Load()) + len(l.failed); got < n {
			return fmt.Errorf("got %d", got)
		}
		return nil
	}))
}
