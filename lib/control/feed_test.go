package control

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// A slowWriter takes its time for each line, as a large one does.
type slowWriter struct {
	http.ResponseWriter
	lines int
	last  int
}

func (w *slowWriter) Write(b []byte) (int, error) {
	time.Sleep(5 * time.Millisecond)
	w.lines++
	return len(b), json.Unmarshal(b, &w.last)
}

func (w *slowWriter) Flush() {}

func TestWatchOfLargeValuesLeavesTimeForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := &slowWriter{ResponseWriter: httptest.NewRecorder()}
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/x?watch=1", nil)
		var feed Feed[int]
		s := &Server{stop: t.Context()}
		done := make(chan struct{})
		go func() { s.watch(w, r, &feed); close(done) }()
		for i := range 1000 {
			feed.Set(i)
			time.Sleep(time.Millisecond)
		}
		if most := 1000 / (5 * watchShare); w.lines > most+1 {
			t.Errorf("got %d lines of 5ms each in a second, want at most %d", w.lines, most)
		}
		time.Sleep(longestBreath)
		synctest.Wait()
		if w.last != 999 {
			t.Errorf("got %d last, want the newest, 999", w.last)
		}
		cancel()
		<-done
	})
}
