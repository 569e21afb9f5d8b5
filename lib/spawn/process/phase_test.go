package process

import (
	"testing"

	"passenger/lib/protocol"
)

// TestPhases walks every phase with every event.
func TestPhases(t *testing.T) {
	t.Parallel()
	if len(moves) != int(gone)+1 {
		t.Fatalf("the table has %d phases, want %d", len(moves), gone+1)
	}
	reached := map[phase]bool{trying: true, starting: true, ready: true} // where processes begin
	for p := range moves {
		for e := range moves[p] {
			from := phase(p)
			next, changed, err := from.after(event(e))
			if changed != (next != from) || err != nil && changed {
				t.Errorf("phase %d, event %d: got %d, changed %v, %v", p, e, next, changed, err)
			}
			reached[next] = true
			if from.over() && !next.over() {
				t.Errorf("phase %d, event %d: a process that has ended is in phase %d", p, e, next)
			}
			if event(e) == ended && err == nil && !next.over() {
				t.Errorf("phase %d: its end leads to phase %d", p, next)
			}
			if event(e) == asked && !from.over() && next != stopping {
				t.Errorf("phase %d: asked to stop it is in phase %d", p, next)
			}
			if event(e) == decided && (next == trying || next == lost) {
				t.Errorf("phase %d: its start is decided, and it is in phase %d", p, next)
			}
			if from.shown() == protocol.Stopping && next.shown() == protocol.Ready {
				t.Errorf("phase %d, event %d: it serves again", p, e)
			}
		}
	}
	for p := range moves {
		if !reached[phase(p)] {
			t.Errorf("nothing leads to phase %d", p)
		}
	}
}

func TestFates(t *testing.T) {
	t.Parallel()
	const memory = "killed by the kernel: out of memory"
	killed := protocol.Exit{Signal: "SIGKILL", Cause: "killed by SIGKILL"}
	for _, tt := range []struct {
		name        string
		fate        fate
		outOfMemory string
		want        protocol.Exit
	}{
		{"itself", fate{}, "", killed},
		{"the kernel", fate{}, memory, protocol.Exit{Signal: "SIGKILL", Cause: memory, OutOfMemory: true}},
		{"asked", fate{stop, "idle: "}, memory, protocol.Exit{Signal: "SIGKILL", ByUs: true, Cause: "stopped by us: idle: killed by SIGKILL"}},
		{"killed", fate{kill, "killed by us: x"}, memory, protocol.Exit{Signal: "SIGKILL", ByUs: true, Cause: "killed by us: x"}},
		{"orphaned", fate{orphan, "killed by us: y"}, "", protocol.Exit{Signal: "SIGKILL", ByUs: true, Orphaned: true, Cause: "killed by us: y"}},
	} {
		got := killed
		tt.fate.explain(&got, tt.outOfMemory)
		if got.Cause != tt.want.Cause || got.ByUs != tt.want.ByUs || got.Orphaned != tt.want.Orphaned || got.OutOfMemory != tt.want.OutOfMemory {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
