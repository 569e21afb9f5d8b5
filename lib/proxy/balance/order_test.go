package balance

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The order in which waiters are served, on a clock that the table moves.
func TestOrderOfTheQueue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		does string // letters come; "+" is 100 ms, "R" before one that it had a process, and "." serves
		want string
	}{
		{"health: the oldest first", "abc...", "abc"},
		{"health up to 200 ms", "a++bc...", "abc"},
		{"stale: the newest first", "a+++bc...", "cba"},
		{"it is the oldest that counts", "a+b++c.", "c"},
		{"what comes later is newer still", "a+++b.c.d..", "bcda"},
		{"health again once the old ones are gone", "a+++b..cd..", "bacd"},
		{"who had a process is first in health", "abRc...", "cab"},
		{"and when it is stale", "a+++bRc...", "cba"},
		{"and does not make it stale", "Ra+++bc...", "abc"},
		{"one alone", "a+++++++.", "a"},
		{"nobody", ".", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var q queue
				names := map[*Waiter]string{}
				var got strings.Builder
				retried := false
				for _, c := range tt.does {
					switch c {
					case '+':
						time.Sleep(100 * time.Millisecond)
					case 'R':
						retried = true
					case '.':
						q.serve(func(w *Waiter) bool {
							q.remove(w)
							got.WriteString(names[w])
							return true
						})
					default:
						w := &Waiter{Began: time.Now(), retried: retried}
						names[w], retried = string(c), false
						q.add(w)
					}
				}
				if got.String() != tt.want {
					t.Errorf("%s: served %q, want %q", tt.does, &got, tt.want)
				}
			})
		})
	}
}

// Who waits for a process of its own keeps nobody from another, whichever way
// round they are served.
func TestServingPassesOverThoseWithoutUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q queue
		for i := range 4 {
			q.add(&Waiter{Began: time.Now(), Wanted: []byte(fmt.Sprint(i))})
		}
		order := func() (s string) {
			q.serve(func(w *Waiter) bool { s += string(w.Wanted); return false })
			return s
		}
		if s := order(); s != "0123" {
			t.Errorf("in health: %s", s)
		}
		time.Sleep(time.Second)
		if s := order(); s != "3210" {
			t.Errorf("when it is stale: %s", s)
		}
	})
}
