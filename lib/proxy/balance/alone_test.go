package balance

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"passenger/lib/proxy/wire"
)

// An aloneWorld is an app whose requests are letters, those that may have ended a
// process in upper case, and whose processes are digits.
type aloneWorld struct {
	*App
	clock   *wire.Clock // does not run
	waiters map[string]*Waiter
	since   time.Time
}

// do takes one step: letters come, have the first byte of their answers or end;
// processes get ready, which take any number of sessions or one at a time, or die.
func (w *aloneWorld) do(what, which string) {
	switch what {
	case "come":
		for _, c := range which {
			r := newWaiter(w.clock, &presence{}, netip.Addr{})
			r.Began = time.Now()
			r.Alone = c < 'a'
			w.waiters[string(c)] = r
			go func() { r.Process, _, _ = w.Acquire(r, r.Alone) }()
			synctest.Wait()
		}
	case "ready", "ready1":
		for _, c := range which {
			w.mu.Lock()
			w.processes = append(w.processes, &Process{ID: string(c), Cookie: string(c), concurrency: len(what) - len("ready")})
			w.grant()
			w.mu.Unlock()
		}
	case "byte":
		for _, c := range which {
			w.Join(w.waiters[string(c)].Process)
		}
	case "end":
		for _, c := range which {
			r := w.waiters[string(c)]
			delete(w.waiters, string(c))
			w.Release(r.Process, nil, 0, 0, Fine)
		}
	case "die":
		for _, c := range which {
			w.die(string(c))
		}
	case "sweep":
		for range which { // 100 ms each
			time.Sleep(100 * time.Millisecond)
			w.mu.Lock()
			w.sweepAlone(int64(time.Since(w.since)))
			w.grant()
			w.mu.Unlock()
		}
	}
	synctest.Wait()
}

// die ends a process with its sessions.
func (w *aloneWorld) die(id string) {
	for name, r := range w.waiters {
		if r.Process != nil && r.Process.ID == id {
			delete(w.waiters, name)
			w.Cancel(r.Process, true, 0)
		}
	}
}

// where says who is on which process, and who waits.
func (w *aloneWorld) where() string {
	on := map[string]string{}
	for c := 'A'; c <= 'z'; c++ {
		if r := w.waiters[string(c)]; r != nil && r.Process != nil {
			on[r.Process.ID] += string(c)
		} else if r != nil {
			on["-"] += string(c)
		}
	}
	var list []string
	for _, id := range []string{"1", "2", "-"} {
		if on[id] != "" {
			list = append(list, fmt.Sprintf("%s:%s", id, on[id]))
		}
	}
	return strings.Join(list, " ")
}

// Who may have ended a process gets another alone, behind the others, on a clock
// that the table moves. A dot of a sweep is 100 ms.
func TestWhoMayHaveEndedAProcessGetsOneAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, does, want string }{
		{"an empty process at once", "ready 1, come A", "1:A"},
		{"nobody joins it", "ready 1, come Ab", "1:A -:b"},
		{"until the first byte of its answer", "ready 1, come Ab, byte A", "1:Ab"},
		{"or its end", "ready 1, come Ab, end A", "1:b"},
		{"or a second", "ready 1, come Ab, sweep ............", "1:Ab"},
		{"but no sooner", "ready 1, come Ab, sweep .........", "1:A -:b"},
		{"others go elsewhere", "ready 12, come Ab", "1:A 2:b"},
		{"a busy one is not taken", "ready 1, come aB", "1:a -:B"},
		{"but is kept from those that come", "ready 1, come aBc", "1:a -:Bc"},
		{"so that it becomes empty", "ready 1, come aBc, end a", "1:B -:c"},
		{"only the least busy one is kept", "ready 12, come abcDefg, end a", "1:D 2:bcefg"},
		{"each gets one in turn", "ready 1, come aBCd, end a, end B", "1:d -:C"},
		{"and the next when that is over", "ready 1, come aBCd, end a, end B, end d", "1:C"},
		{"a new process has first who waits", "come Aabc, ready 1", "1:abc -:A"},
		{"and then who may have ended the last", "come Aabc, ready 1, end abc", "1:A"},
		{"who ended two takes nobody along", "come Aabc, ready 1, end ab, come de, end c, die 1, ready 2", "2:de"},
		{"two at once, two processes", "ready 12, come ABc", "1:A 2:B -:c"},
		{"it waits a second for an empty one", "ready 1, come aBc, sweep .........", "1:a -:Bc"},
		{"and goes with the others then", "ready 1, come aBc, sweep ............", "1:Bac"},
		{"the time without a process does not count", "come Aa, sweep ............, ready 1", "1:a -:A"},
		{"that kept one may die", "ready 1, come aBc, die 1, ready 2", "2:c -:B"},
		{"one at a time: those that wait come first", "ready1 1, come aBc, end a", "1:c -:B"},
		{"one at a time: then who waits for it alone", "ready1 1, come aBc, end a, end c", "1:B"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &aloneWorld{App: New("app", func() {}, nil, nil), clock: wire.NewClock(time.Second, nil), waiters: map[string]*Waiter{}, since: time.Now()}
				w.size, w.wait = 100, time.Minute
				for step := range strings.SplitSeq(tt.does, ", ") {
					what, which, _ := strings.Cut(step, " ")
					w.do(what, which)
				}
				if got := w.where(); got != tt.want {
					t.Errorf("%s: got %q, want %q", tt.does, got, tt.want)
				}
				w.Stop(errors.New("over"))
			})
		})
	}
}
