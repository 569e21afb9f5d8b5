package loglimit

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestOneMessageIsDueInAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		for _, c := range []struct {
			after, limit time.Duration
			want         bool
		}{
			{0, time.Second, true}, {0, time.Second, false}, {time.Second - 1, time.Second, false}, {1, time.Second, true},
			{time.Second, time.Minute, false}, {time.Minute - time.Second, time.Minute, true}, {time.Second, time.Second, true},
		} {
			time.Sleep(c.after) // on the bubble's clock
			if got := l.DueAfter(c.limit); got != c.want {
				t.Errorf("%v later, once in %v: got %v, want %v", c.after, c.limit, got, c.want)
			}
		}
	})
}
