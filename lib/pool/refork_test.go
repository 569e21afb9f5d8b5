package pool

import (
	"slices"
	"testing"
	"time"
)

func TestProcessIsPromotedOnceAGeneration(t *testing.T) {
	t.Parallel()
	c := settings("shop", 2, 0)
	c.ReforkAfter = 100
	w := serving(t, roomy, c)
	for _, id := range []string{"p001", "p002"} {
		r := w.list[id]
		r.Preloader = "l001"
		w.put(id, r)
	}
	w.tell()
	for _, step := range []struct {
		do   func()
		want []string
	}{
		{func() { w.served("p001", 99, 0) }, nil},
		{func() { w.served("p002", 100, 0) }, []string{"p002"}},
		{func() { w.served("p001", 100, 0) }, nil}, // it is under way
		{func() { w.p.Promoted("p002", false); w.pass(time.Second) }, []string{"p001"}},
		{func() { w.p.Promoted("p001", true); w.pass(time.Hour) }, nil},
	} {
		w.promoted = nil
		step.do()
		if !slices.Equal(w.promoted, step.want) {
			t.Fatalf("promoted %v, want %v", w.promoted, step.want)
		}
	}
	w.restart(c, false)
	w.run()
	w.served("p003", 200, 0) // it was started directly
	if len(w.promoted) > 0 {
		t.Errorf("promoted %v, which has no preloader", w.promoted)
	}
}
