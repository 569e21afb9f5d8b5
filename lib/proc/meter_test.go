package proc

import (
	"os"
	"syscall"
	"testing"
	"time"
)

func TestMeterReadsProcOnceForAllGroups(t *testing.T) {
	// It runs alone: others would be counted.
	groups := make([]int, 16)
	for i := range groups {
		groups[i] = child(t, "exec sleep 60").PID
	}
	var m Meter
	// What takes longer than firstReads is left for the next time.
	eventually(t, "the usage of all groups", func() bool { return len(m.Read(groups)) == len(groups) })
	one := testing.AllocsPerRun(5, func() { m.Read(groups[:1]) })
	all := testing.AllocsPerRun(5, func() { m.Read(groups) })
	if all > 1.5*one {
		t.Errorf("%d groups take %.0f allocations, one takes %.0f: want about the same", len(groups), all, one)
	}
}

func TestMeterKeepsToItsRound(t *testing.T) {
	t.Parallel()
	groups := []int{syscall.Getpgrp(), child(t, "exec sleep 60").PID}
	var m Meter
	for i := range groups {
		began := time.Now()
		next := m.step(groups)
		if len(m.shares) != i+1 {
			t.Errorf("step %d: %d groups were read, want %d: one a step", i+1, len(m.shares), i+1)
		}
		if i == 0 && next.After(began) {
			t.Errorf("the other group's turn is in %v, want it now", next.Sub(began))
		}
		if i == 1 && next.Before(began.Add(round/2)) {
			t.Errorf("the next turn is in %v, want about %v", next.Sub(began), round)
		}
	}
	if m.step(groups[:1]); len(m.shares) != 1 {
		t.Errorf("got %d groups remembered, want 1: the other is gone", len(m.shares))
	}
}

func TestMeterTellsAnotherOwnerOfTheNumber(t *testing.T) {
	t.Parallel()
	id := child(t, "exec sleep 60")
	m := Meter{shares: map[int]reading{id.PID: {share{leader: id.StartTime + 1, pss: 1 << 40, rss: 1 << 40}, time.Now()}}}
	eventually(t, "a PSS", func() bool { // there is none while it becomes its program
		u := m.Read([]int{id.PID})[id.PID]
		if u.PSS > 1<<30 {
			t.Fatalf("got a PSS of %d: that of the group which had the number before", u.PSS)
		}
		return u.PSS > 0
	})
}

func TestShareGrowsWithTheResidentMemory(t *testing.T) {
	t.Parallel()
	page := int64(os.Getpagesize())
	sh := share{pss: 10 * page, rss: 40 * page}
	tests := []struct {
		name      string
		share     share
		rss, want int64
	}{
		{"as it was", sh, 40 * page, 10 * page},
		{"grown", sh, 100 * page, 70 * page},
		{"shrunk", sh, 35 * page, 5 * page},
		{"shrunk by what it shared", sh, 20 * page, 0},
		{"not to be read", share{pss: -1, rss: 40 * page}, 100 * page, -1},
	}
	for _, tt := range tests {
		if got := tt.share.at(tt.rss); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}
