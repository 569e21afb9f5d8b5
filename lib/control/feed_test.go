package control

import (
	"context"
	"encoding/json"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A slowTeller takes its time for each line, as a large one does.
type slowTeller struct {
	lines atomic.Int64
	last  atomic.Int64
}

func (w *slowTeller) part(b []byte) error {
	time.Sleep(5 * time.Millisecond)
	w.lines.Add(1)
	var last int64
	err := json.Unmarshal(b, &last)
	w.last.Store(last)
	return err
}

func TestWatchOfLargeValuesLeavesTimeForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := &slowTeller{}
		r := &Request{Method: "GET", URL: &url.URL{Path: "/v1/x", RawQuery: "watch=1"}, ctx: ctx}
		var feed Feed[int]
		s := &Server{stop: t.Context()}
		done := make(chan struct{})
		go func() { s.watch(w, r, &feed); close(done) }()
		for i := range 1000 {
			feed.Set(i)
			time.Sleep(time.Millisecond)
		}
		if most := int64(1000 / (5 * watchShare)); w.lines.Load() > most+1 {
			t.Errorf("got %d lines of 5ms each in a second, want at most %d", w.lines.Load(), most)
		}
		time.Sleep(longestBreath)
		synctest.Wait()
		if last := w.last.Load(); last != 999 {
			t.Errorf("got %d last, want the newest, 999", last)
		}
		cancel()
		<-done
	})
}
