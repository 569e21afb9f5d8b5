package output

import (
	"runtime"
	"testing"
)

// A spawner has two readers for each process, and most processes write rarely. No
// other test may run meanwhile: it counts what the program has.
func TestReadersThatWaitAreSmall(t *testing.T) {
	const processes = 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range processes {
		stdout, stderr := fifos(t)
		r := &record{}
		p, err := Read(stdout, stderr, &Source{App: "app", PID: 7}, r)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Finish()
		write(t, stdout, "a line\n")
		write(t, stderr, "a line\n")
		for r.count() < 2 {
			runtime.Gosched() // until it was read: then the reader waits for more
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.StackInuse+after.HeapInuse) - int64(before.StackInuse+before.HeapInuse)) / (2 * processes)
	if each > 24<<10 {
		t.Errorf("a reader takes %d bytes", each)
	}
}

func (r *record) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.all)
}
