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
		does string // letters come; "+" is 100 ms, "*" that 50 others are served, "!" that 10 clients leave, "=" that 1,000 others come and are served, "R" before one that it had a process, and "." serves
		want string
	}{
		{"health: the oldest first", "abc...", "abc"},
		{"health up to 200 ms", "a++*bc...", "abc"},
		{"a wait that is none of others' doing", "a+++bc...", "abc"},
		{"late: those that came since first, the newest of them before", "a+++*bc...", "cba"},
		{"it is the oldest that counts", "a+b++*c.", "c"},
		{"what comes later is newer still", "a+++*b.c.d..", "bcda"},
		{"of those that are late the oldest", "abc+++*d....", "dabc"},
		{"health again once the old ones are gone", "a+++*b..cd..", "bacd"},
		{"who had a process is first in health", "abRc...", "cab"},
		{"and late ones do not change that", "a+++*bRc...", "cba"},
		{"and it makes nobody late", "Ra+++*bc...", "abc"},
		{"losses: the newest first, however short the wait", "abc!...", "cba"},
		{"of those that are late, too", "abc+++*!d....", "dcba"},
		{"but who had a process", "ab!Rc...", "cba"},
		{"and not for ever", "!=abc...", "abc"},
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
						q.served += lateTurns
					case '!':
						for range 10 {
							q.losses.lost()
						}
					case '=':
						for range 1000 {
							q.losses.got()
						}
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
		for range 10 {
			q.losses.lost()
		}
		for there, want := range map[string]string{"02": "2", "013": "3", "0": "0"} {
			w := q.next(func(w *Waiter) bool { return strings.Contains(there, string(w.Wanted)) })
			if string(w.Wanted) != want {
				t.Errorf("of %s: %s is next", there, w.Wanted)
			}
		}
	})
}

// Whoever is next, the process is there for that one: what is asked for in between
// does not count.
func TestThereIsAskedForTheNextLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q queue
		for range 3 {
			q.add(&Waiter{Began: time.Now()})
		}
		time.Sleep(time.Second)
		for range 2 { // all are late, and then one is not
			q.served += lateTurns
			var asked *Waiter
			if w := q.next(func(w *Waiter) bool { asked = w; return true }); w != asked {
				t.Error("the process is there for another one")
			}
			q.add(&Waiter{Began: time.Now()})
		}
	})
}
