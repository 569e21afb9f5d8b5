package owner

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

func TestRoutesAreWrittenAtOnceAndThenNotTooOften(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "routes.json")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		o := &Owner{files: Files{Routes: path}, ended: make(chan struct{}), written: &protocol.Routes{}}
		o.routes.Set(o.written)
		done := make(chan struct{})
		go func() { o.persist(ctx); close(done) }()
		synctest.Wait()
		time.Sleep(writeEvery) // the pool was idle

		writes, last := 0, uint64(0)
		for version := uint64(1); version <= 100; version++ {
			o.routes.Set(&protocol.Routes{Version: version})
			synctest.Wait()
			if version == 1 && o.onDisk.Get() != 1 {
				t.Error("the first table after a rest was not written at once")
			}
			if now := o.onDisk.Get(); now != last {
				writes, last = writes+1, now
			}
			time.Sleep(10 * time.Millisecond)
		}
		if writes > 11 {
			t.Errorf("100 tables in a second were written %d times, want every %v", writes, writeEvery)
		}
		time.Sleep(writeEvery)
		synctest.Wait()
		var table protocol.Routes
		if err := statedir.ReadJSON(path, &table); err != nil || table.Version != 100 {
			t.Errorf("got version %d in the file, %v; want the last, 100", table.Version, err)
		}
		cancel()
		<-done
	})
}
