package machine

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"passenger/lib/status"
)

func TestMemberOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		stat string
		want member
		ok   bool
	}{
		{"12 (ruby) S 1 12 12 0", member{"ruby", 12}, true},
		{"12 (a) (b) c) R 1 7 12 0", member{"a) (b) c", 7}, true},
		{"12 (ruby) S 1", member{}, false},
		{"12 )(", member{}, false},
		{"", member{}, false},
	} {
		got, ok := memberOf(tt.stat)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q: got %v, %v, want %v, %v", tt.stat, got, ok, tt.want, tt.ok)
		}
	}
}

func TestOursAreNotOthers(t *testing.T) {
	t.Parallel()
	child := exec.Command("sleep", "600")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() }) // it may be gone
	me := os.Getpid()
	with := Look(status.Status{Parts: []status.Part{{PID: me}}, Apps: []status.App{{Name: "shop"}}})
	if with.Daemons.Processes != 1 || with.Daemons.Memory < 1<<20 || with.Total == 0 {
		t.Errorf("got %+v of a total of %d, want this process", with.Daemons, with.Total)
	}
	if text := with.Text(false); !strings.Contains(text, "\nshop ") || !strings.Contains(text, "machine: ") {
		t.Errorf("got %q", text)
	}
	for _, o := range with.Others {
		if o.Processes <= 0 || o.Memory <= 0 {
			t.Errorf("%q takes nothing: %+v", o.Name, o)
		}
	}
}
