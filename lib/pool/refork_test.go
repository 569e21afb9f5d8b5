package pool

import (
	"slices"
	"testing"
	"time"
)

// reforked is an app of two processes that were forked from the preloader l001.
func reforked(t *testing.T) *world {
	c := settings("shop", 2, 0)
	c.ReforkAfter = 100
	w := serving(t, roomy, c)
	for _, id := range []string{"p001", "p002"} {
		w.forkedFrom(id, "l001")
	}
	w.tell()
	return w
}

func (w *world) forkedFrom(id, preloader string) {
	r := w.list[id]
	r.Preloader = preloader
	w.put(id, r)
}

// weigh tells how much memory each process has, in MB.
func (w *world) weigh(mb int64, ids ...string) {
	h := w.p.host
	h.Processes = map[string]int64{}
	for _, id := range ids {
		h.Processes[id] = mb << 20
	}
	w.p.Measured(h)
	w.decide()
}

func TestOneOfTheProcessesIsPromoted(t *testing.T) {
	t.Parallel()
	w := reforked(t)
	for _, step := range []struct {
		do   func()
		want []string
	}{
		{func() { w.served("p001", 99, 0) }, nil},
		{func() { w.served("p002", 100, 0) }, []string{"p002"}},
		{func() { w.served("p001", 100, 0) }, nil}, // it is under way
		{func() { w.p.Promoted("p002", false); w.pass(time.Second) }, []string{"p001"}},
	} {
		w.promoted = nil
		step.do()
		if !slices.Equal(w.promoted, step.want) {
			t.Fatalf("promoted %v, want %v", w.promoted, step.want)
		}
	}
}

func TestProcessesOfBeforeAPromotionAreReplacedOneByOne(t *testing.T) {
	t.Parallel()
	w := reforked(t)
	w.served("p001", 100, 0)
	w.pass(time.Second)
	w.p.Promoted("p001", true)
	w.pass(time.Second)
	w.want("shop", "1:ready 1:ready 1:starting")
	w.forkedFrom(w.ready(), "l002")
	w.run()
	w.forkedFrom("p004", "l002")
	w.tell()
	for _, q := range w.p.apps["shop"].processes {
		if outdated(q) {
			t.Errorf("process %s of before the promotion serves on", q.record.ID)
		}
	}
}

func TestPromotionsEndWhenTheyGainTooLittle(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mb   int64 // of a process before, 100, and then
		want bool  // whether another is promoted
	}{{94, true}, {96, false}, {100, false}, {0, false}} {
		w := reforked(t)
		w.weigh(100, "p001", "p002")
		w.served("p001", 100, 0)
		w.pass(time.Second)
		w.p.Promoted("p001", true)
		w.pass(time.Second)
		w.run()
		var ids []string
		for _, q := range w.p.apps["shop"].processes {
			ids = append(ids, q.record.ID)
			w.forkedFrom(q.record.ID, "l002")
		}
		w.tell()
		w.weigh(tt.mb, ids...)
		w.promoted = nil
		w.served(ids[0], 100, 0)
		w.pass(time.Hour)
		if got := len(w.promoted) > 0; got != tt.want {
			t.Errorf("100 MB and then %d: promoted %v, want %v", tt.mb, w.promoted, tt.want)
		}
	}
}

func TestDirectProcessesAreNotPromoted(t *testing.T) {
	t.Parallel()
	w := reforked(t)
	w.restart(w.p.apps["shop"].config, false)
	w.run()
	w.served("p003", 200, 0)
	if len(w.promoted) > 0 {
		t.Errorf("promoted %v, which has no preloader", w.promoted)
	}
}
