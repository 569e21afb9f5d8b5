package owner

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"passenger/lib/protocol"
)

func TestAHookThatHangsIsKilledWithWhatItStarted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	h := hooks{limit: 10 * time.Second} // it has to write its pid by then
	err := h.runOne(t.Context(), "sleep 600 & echo $! >"+file+"; wait", protocol.Event{Event: "attached_process"})
	if err == nil || !strings.Contains(err.Error(), "killed after 10s") {
		t.Errorf("got error %v, want that it was killed", err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); alive(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("what it started, process %d, is still there", pid)
		}
	}
}

// alive says that a process runs: one that waits to be reaped does not.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ") && syscall.Kill(pid, 0) == nil
}
