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
		does string // letters come; "+" is 100 ms, "*" that 20 others are served, "!" that a client leaves after a second, "R" before one that it had a process, and "." serves
		want string
	}{
		{"health: the oldest first", "abc...", "abc"},
		{"health up to 200 ms", "a++bc...", "abc"},
		{"a wait that is none of others' doing", "a+++bc...", "abc"},
		{"stale: the newest first", "a+++*bc...", "cba"},
		{"however fast others are", "a++*bc...", "abc"},
		{"it is the oldest that counts", "a+b++*c.", "c"},
		{"what comes later is newer still", "a+++*b.c.d..", "bcda"},
		{"health again once the old ones are gone", "a+++*b..cd..", "bacd"},
		{"who had a process is first in health", "abRc...", "cab"},
		{"and when it is stale", "a+++*bRc...", "cba"},
		{"and does not make it stale", "Ra+++*bc...", "abc"},
		{"clients that leave: stale though few are served", "a+++!bc...", "cba"},
		{"from a quarter of their wait on", "a++!bc...", "abc"},
		{"and not for ever", "!+++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++a+++bc...", "abc"},
		{"one alone", "a+++++++*.", "a"},
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
					case '*':
						q.served += staleTurns
					case '!':
						q.left, q.patience = time.Now(), time.Second
					case '.':
						if w := q.next(func(*Waiter) bool { return true }); w != nil {
							q.remove(w)
							got.WriteString(names[w])
						}
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
			q.next(func(w *Waiter) bool { s += string(w.Wanted); return false })
			return s
		}
		if s := order(); s != "0123" {
			t.Errorf("in health: %s", s)
		}
		time.Sleep(time.Second)
		q.served += staleTurns
		for there, want := range map[string]string{"02": "2", "013": "3", "0": "0"} {
			w := q.next(func(w *Waiter) bool { return strings.Contains(there, string(w.Wanted)) })
			if string(w.Wanted) != want {
				t.Errorf("of %s: %s is next", there, w.Wanted)
			}
		}
	})
}
