package balance

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/wire"
)

// wantsOnly is a waiter for a process, or any if id is empty.
func wantsOnly(id string) *Waiter {
	w := newWaiter(wire.NewClock(time.Second, nil), &presence{}, netip.Addr{})
	if id != "" {
		w.Wanted = []byte(StickyID(id))
	}
	return w
}

// stickyApp is an app with processes of these IDs, which take one request each.
// No clock mends what was forgotten.
func stickyApp(queueSize int, ids ...string) *App {
	a := New("app", func() {}, nil, nil)
	r := protocol.Route{QueueSize: queueSize}
	for _, id := range ids {
		r.Processes = append(r.Processes, protocol.RouteProcess{ID: id, Concurrency: 1})
	}
	a.Apply(&r, func(*protocol.RouteProcess) *files.Sendfile { return nil })
	return a
}

// get gets w a process of the ID want; a wait without end fails the test.
func get(t *testing.T, a *App, w *Waiter, retried bool, want string) *Process {
	t.Helper()
	p, _, err := a.Acquire(w, retried)
	if err != nil || p.ID != want {
		t.Fatalf("got %+v, %v; want process %s", p, err, want)
	}
	return p
}

func TestRequestsPassThoseThatWaitForABusyProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, wanted string }{{"any process", ""}, {"another process", "b"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := stickyApp(1, "a", "b")
				busy := get(t, a, wantsOnly("a"), false, "a")
				second := wantsOnly("a")
				go a.Acquire(second, false)
				synctest.Wait()
				if a.queue.length != 1 {
					t.Fatalf("%d requests wait, want the second for the process", a.queue.length)
				}
				get(t, a, wantsOnly(c.wanted), false, "b")
				a.Release(busy, nil, 1, 0, Fine)
				synctest.Wait()
				if second.Process != busy {
					t.Errorf("the one that waited got %v", second.Process)
				}
			})
		})
	}
}

// A process that takes no connection is not waited for: a cookie may outlive
// it for days.
func TestStickyClientsOfADeadProcessGetAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := stickyApp(1, "a", "b")
		w := wantsOnly("a")
		a.Cancel(get(t, a, w, false, "a"), true, 1<<60)
		get(t, a, w, true, "b")
	})
}

// Nor is one that takes one request at a time and is at one that took too
// long: it is replaced.
func TestStickyClientsOfAStuckProcessGetAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := stickyApp(1, "a", "b")
		a.Release(get(t, a, wantsOnly("a"), false, "a"), nil, 1, 0, Stuck)
		get(t, a, wantsOnly("a"), false, "b")
	})
}
