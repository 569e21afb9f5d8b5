package balance

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A rush is what comes to an app, and what became of it.
type rush struct {
	processes, threads int
	service            []time.Duration // of requests, in turn
	patience           time.Duration   // of clients
	offered            float64         // of the capacity
	warm               time.Duration   // those that come before count only for the queue
	lasts              time.Duration
	eases              bool          // in the midst: to half of what was offered
	stall              time.Duration // in which no process answers, in the midst
	burst              int           // of requests at the beginning
	places             int           // in the queue
	set                bool          // by a setting

	w       *queueWorld
	clients sync.WaitGroup
	inTime  []time.Duration // how long clients waited that got an answer
	left    int             // clients that did not
	refused int
}

func (r *rush) capacity() float64 {
	var sum time.Duration
	for _, s := range r.service {
		sum += s
	}
	return float64(r.processes*r.threads*len(r.service)) / sum.Seconds()
}

// run has clients come at random moments, the same in each run.
func (r *rush) run(w *queueWorld) {
	r.w = w
	w.places, w.route.QueueSize, w.route.QueueOpen = r.places, r.places, !r.set
	w.apply()
	random := rand.New(rand.NewPCG(1, 2))
	began := time.Now()
	var stalled atomic.Int64 // until when, after began
	for at, i := time.Duration(0), -r.burst; ; i++ {
		if i >= 0 {
			offered := r.offered
			if r.eases && at > r.lasts/2 {
				offered /= 2
			}
			at += time.Duration(random.ExpFloat64() / offered / r.capacity() * float64(time.Second))
		}
		if at > r.lasts {
			break
		}
		time.Sleep(time.Until(began.Add(at)))
		if r.stall > 0 && stalled.Load() == 0 && at > r.lasts/2 {
			stalled.Store(int64(at + r.stall))
		}
		r.clients.Go(func() {
			r.visit(at >= r.warm, r.service[(i+r.burst)%len(r.service)], func() time.Duration {
				return time.Duration(stalled.Load()) - time.Since(began)
			})
		})
	}
	r.clients.Wait()
}

// visit is one client, which may count: it asks, and leaves when its patience ends. A
// process that has its request works on to the end, but not while it is stalled.
func (r *rush) visit(counts bool, service time.Duration, stalled func() time.Duration) {
	w := r.w
	g, came := w.guest("", netip.Addr{}), time.Now()
	leaves := time.AfterFunc(r.patience, func() { g.conn.gone.Store(true) })
	defer leaves.Stop()
	defer g.Probe.Conn.Close()
	w.ask(g, false)
	if g.err == nil {
		time.Sleep(service)
		for left := stalled(); left > 0; left = stalled() {
			time.Sleep(left)
		}
		w.Release(g.on, nil, 1, 0, Fine)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch took := time.Since(came); {
	case !counts:
	case g.err == ErrQueueFull:
		r.refused++
	case g.err != nil || took > r.patience:
		r.left++
	default:
		r.inTime = append(r.inTime, took)
	}
}

// What clients get of an app at more than it can do, on a fake clock: nearly all
// it can do, and soon. Below that they get what the oldest first would give them.
func TestOverloadedAppsServeWhatTheyCan(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	mixed := append(slices.Repeat([]time.Duration{5 * ms}, 99), 2*time.Second)
	patience := func(d time.Duration) func(*rush) { return func(r *rush) { r.patience = d } }
	for _, tt := range []struct {
		name     string
		offered  float64 // of the capacity
		change   func(*rush)
		least    float64       // answered in time, of the capacity or of what was offered
		median   time.Duration // at most
		most     time.Duration // that an answer takes, if it is bounded
		patient  bool          // nobody leaves
		refusals bool
	}{
		{name: "below", offered: 0.8, least: 1, median: 40 * ms, most: 200 * ms, patient: true},
		{name: "nearly what it can", offered: 0.95, least: 1, median: 100 * ms, most: 600 * ms, patient: true},
		{name: "a trifle over, for long", offered: 1.02, least: 0.95, median: 60 * ms, change: func(r *rush) { r.warm, r.lasts = time.Minute, 2*time.Minute }},
		{name: "hardly over", offered: 1.05, least: 0.95, median: 40 * ms},
		{name: "a little over", offered: 1.1, least: 0.95, median: 40 * ms},
		{name: "over", offered: 1.5, least: 0.95, median: 40 * ms},
		{name: "far over", offered: 3, least: 0.95, median: 40 * ms},
		{name: "clients that wait for 5 s", offered: 1.1, least: 0.95, median: 40 * ms, change: patience(5 * time.Second)},
		{name: "and for 30 s", offered: 1.1, least: 0.95, median: 40 * ms, change: patience(30 * time.Second)},
		{name: "clients that wait for less than others do who are not late", offered: 1.5, least: 0.95, median: 60 * ms, change: patience(150 * ms)},
		{name: "fast ones", offered: 3, least: 0.95, median: 15 * ms, change: func(r *rush) { r.service = each(5 * ms) }},
		{name: "slow ones", offered: 1.5, least: 0.9, median: 4 * time.Second, change: func(r *rush) {
			r.service, r.patience, r.lasts = each(2*time.Second), 10*time.Second, 10*time.Minute
		}},
		{name: "slow ones, below", offered: 0.8, least: 1, median: 4 * time.Second, most: 16 * time.Second, patient: true, change: func(r *rush) {
			r.service, r.patience, r.lasts = each(2*time.Second), 30*time.Second, 10*time.Minute
		}},
		{name: "half of a client's patience each", offered: 1.5, least: 0.85, median: 900 * ms, change: func(r *rush) { r.service = each(500 * ms) }},
		{name: "threads", offered: 1.5, least: 0.95, median: 300 * ms, change: func(r *rush) { r.threads, r.service = 8, each(100*ms) }},
		{name: "a few slow ones among many", offered: 1.5, least: 0.65, median: 60 * ms, change: func(r *rush) { r.service, r.patience = mixed, 5*time.Second }},
		{name: "no place for all", offered: 3, least: 0.95, median: 40 * ms, refusals: true, change: func(r *rush) { r.places = 100 }},
		{name: "few places", offered: 3, least: 0.95, median: 40 * ms, refusals: true, change: func(r *rush) { r.places = 5 }},
		{name: "places that a setting bounds", offered: 3, least: 0.95, median: 40 * ms, refusals: true, change: func(r *rush) { r.places, r.set = 100, true }},
		{name: "a few of them", offered: 1.1, least: 0.95, median: 40 * ms, refusals: true, change: func(r *rush) { r.places, r.set = 30, true }},
		{name: "a stall, late rather than refused", offered: 0.8, least: 1, median: 60 * ms, most: 20 * time.Second, patient: true, change: func(r *rush) { r.stall, r.patience = 4*time.Second, 30*time.Second }},
		{name: "a burst, too", offered: 0.5, least: 1, median: 20 * time.Second, most: 45 * time.Second, patient: true, change: func(r *rush) { r.burst, r.patience = 2000, time.Minute }},
		{name: "over, and then below: the old ones have their turn", offered: 1.2, least: 0.78, median: 40 * ms, patient: true, change: func(r *rush) { r.eases, r.patience = true, time.Minute }},
		{name: "what came in a stall costs those that come later nothing", offered: 0.8, least: 0.9, median: 60 * ms, change: func(r *rush) { r.stall = 4 * time.Second }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &rush{processes: 2, threads: 1, service: each(20 * ms), patience: time.Second, offered: tt.offered, warm: 8 * time.Second, lasts: time.Minute, places: 2048}
			if tt.change != nil {
				tt.change(r)
			}
			if tt.patient {
				r.warm = 0 // everybody counts
			}
			inQueueWorld(t, r.processes, r.threads, r.run)
			slices.Sort(r.inTime)
			goal := min(r.offered, 1)*r.capacity()*(r.lasts-r.warm).Seconds() + float64(r.burst)
			got, median := float64(len(r.inTime)), r.inTime[len(r.inTime)/2]
			most := r.inTime[len(r.inTime)-1]
			t.Logf("%s: %.0f of %.0f in time, median %v, at most %v; %d left, %d refused", tt.name, got, goal, median.Round(ms), most.Round(ms), r.left, r.refused)
			if got < tt.least*goal*0.99 || median > tt.median { // random moments are no exact rate
				t.Errorf("want %.2f of them, median %v", tt.least, tt.median)
			}
			if tt.most > 0 && most > tt.most {
				t.Errorf("one took %v, want %v at most", most, tt.most)
			}
			if tt.patient && r.left > 0 || !tt.refusals && r.refused > 0 || tt.refusals && r.refused == 0 {
				t.Errorf("patient %v, refusals %v", tt.patient, tt.refusals)
			}
		})
	}
}

func each(d time.Duration) []time.Duration { return []time.Duration{d} }
