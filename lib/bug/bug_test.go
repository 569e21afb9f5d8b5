package bug

import (
	"context"
	"testing"
	"testing/synctest"
)

func TestABugEndsOnlyWhatItBroke(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	go func() {
		defer Caught(func() { close(ended) })
		var none []int
		_ = none[len(none)]
	}()
	<-ended
	begun := make(chan struct{})
	Go(func() {
		defer close(begun)
		panic("a bug")
	})
	<-begun
}

func TestALoopOutlivesBugs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		Outlive(t.Context(), func() {
			if runs++; runs < 3 {
				panic("a bug")
			}
		})
		if runs != 3 {
			t.Errorf("got %d runs, want 3", runs)
		}
		ctx, cancel := context.WithCancel(t.Context())
		Outlive(ctx, func() { runs++; cancel(); panic("a bug at the end") })
		if runs != 4 {
			t.Errorf("got %d runs, want one more", runs)
		}
	})
}
