package http2

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Streams are served at once however many there are, by goroutines that stay
// and in the end go. The bubble fails if one does not.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w crew
		var all sync.WaitGroup
		release := make(chan bool)
		config := Config{Serve: func(s *Stream) { all.Done(); <-release }}
		c := NewConn(nil, &config)
		begin := func(n int) {
			all.Add(n)
			c.served += n
			c.work.Add(n)
			for range n {
				s := &Stream{conn: c, failed: errGone}
				s.wake.L = &c.mu
				w.serve(s)
			}
			all.Wait() // all are served together
		}
		idle := func() int {
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.idle)
		}
		begin(3 * mostIdle)
		close(release)
		synctest.Wait()
		if n := idle(); n != mostIdle {
			t.Errorf("%d stay, want %d", n, mostIdle)
		}
		time.Sleep(lookTime / 2)
		begin(2)
		time.Sleep(lookTime)
		if n := idle(); n != mostIdle {
			t.Errorf("%d stay for a second, want %d", n, mostIdle)
		}
		time.Sleep(2 * lookTime)
		if n := idle(); n != 0 {
			t.Errorf("at the end %d stay", n)
		}
		begin(1)
		time.Sleep(3 * lookTime)
		c.work.Wait()
	})
}
