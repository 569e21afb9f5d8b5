package recorder

import (
	"fmt"
	"slices"
	"testing"
)

var busyness = []Column{{Name: "requests", Counter: true, Busy: true}, {Name: "generation"}}

func TestOnlyChangesAreWritten(t *testing.T) {
	t.Parallel()
	c := chooser{columns: busyness}
	steps := []struct {
		rows []Row
		want string
	}{
		{[]Row{{"a", []int64{1, 1}}, {"b", []int64{0, 1}}}, "[{a [1 1]} {b [0 1]}]"},
		{[]Row{{"a", []int64{1, 1}}, {"b", []int64{0, 1}}}, "[]"},
		{[]Row{{"a", []int64{1, 1}}, {"b", []int64{9, 1}}}, "[{b [9 1]}]"},
		{[]Row{{"a", []int64{1, 2}}, {"b", []int64{20, 1}}}, "[{b [20 1]} {a [1 2]}]"}, // the busier first
		{[]Row{{"b", []int64{20, 1}}}, "[{a []}]"},                                     // a is gone
		{[]Row{{"b", []int64{20, 1}}}, "[]"},
	}
	for i, s := range steps {
		chosen, leftOut := c.choose(s.rows, mostSample)
		if got := fmt.Sprint(chosen); got != s.want || leftOut != 0 {
			t.Errorf("step %d: got %s, %d left out, want %s", i, got, leftOut, s.want)
		}
	}
	for range Stale {
		if chosen, _ := c.choose([]Row{{"b", []int64{20, 1}}}, mostSample); len(chosen) == 1 {
			return
		}
	}
	t.Errorf("after %d samples without a change, none has the row again", Stale)
}

// With more apps than there is room for, the busiest are in each sample, and each
// of the others in one of so many; what is left out is told.
func TestBusiestComeFirst(t *testing.T) {
	t.Parallel()
	const apps, busy = 1000, 20
	c := chooser{columns: busyness}
	requests := make([]int64, apps)
	written := make([]int, apps) // the sample that has it last
	longest := 0
	for turn := range 200 {
		rows := make([]Row, apps)
		for i := range rows {
			if requests[i]++; i < busy {
				requests[i] += 100
			}
			rows[i] = Row{fmt.Sprintf("app-%03d", i), []int64{requests[i], 1}}
		}
		chosen, leftOut := c.choose(rows, mostSample)
		if len(chosen)+leftOut != apps {
			t.Fatalf("sample %d: %d chosen and %d left out of %d", turn, len(chosen), leftOut, apps)
		}
		size := 0
		for _, r := range chosen {
			var i int
			fmt.Sscanf(r.App, "app-%d", &i)
			longest = max(longest, turn-written[i])
			written[i] = turn
			size += rowSize(r)
		}
		if size > mostSample {
			t.Fatalf("sample %d has %d bytes", turn, size)
		}
		for i := range busy {
			if turn > 0 && written[i] != turn {
				t.Fatalf("sample %d is without busy app %d", turn, i)
			}
		}
	}
	for i, turn := range written {
		if 200-turn > 80 || longest > 80 {
			t.Fatalf("app %d was last in sample %d; the longest wait was %d", i, turn, longest)
		}
	}
}

// Apps that come and go leave nothing behind.
func TestChooserForgetsApps(t *testing.T) {
	t.Parallel()
	c := chooser{columns: busyness}
	for i := range 5000 {
		c.choose([]Row{{fmt.Sprint("app", i), []int64{1, 1}}, {"stays", []int64{int64(i), 1}}}, 200)
	}
	if len(c.apps) > 3 {
		t.Errorf("%d apps are known yet", len(c.apps))
	}
}

// Without room nothing is chosen, and nothing goes wrong.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	c := chooser{columns: busyness}
	if chosen, leftOut := c.choose([]Row{{"a", []int64{1, 1}}}, 5); len(chosen) != 0 || leftOut != 1 {
		t.Errorf("got %v, %d left out", chosen, leftOut)
	}
	if got := c.busy(nil, slices.Repeat([]int64{1}, 9)); got != 0 {
		t.Errorf("got %d", got)
	}
}
