package owner

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// lastRoutes reads the table that a former pool published, nil if there is
// none.
func lastRoutes(path string) *protocol.Routes {
	var last protocol.Routes
	err := statedir.ReadJSON(path, &last)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		slog.Warn("could not read the last route table; beginning anew", "err", err)
		return nil
	}
	return &last
}

// writeEvery is the least time between two writes of the table: each is synced
// to the disk, and a table of many processes is large.
const writeEvery = 100 * time.Millisecond

// persist writes each new table to its file; of those that come while one is
// written, or shortly after, the newest. A proxy that starts begins with it, and
// so does the next pool.
func (o *Owner) persist(ctx context.Context) {
	for {
		_, changed := o.routes.Wait()
		written := time.Now()
		o.write()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		rest(ctx, writeEvery-time.Since(written))
	}
}

// write writes the newest table unless that is done already.
func (o *Owner) write() {
	newest := o.routes.Get()
	if newest == o.written {
		return
	}
	o.written = newest
	o.keepOrders(newest)
	text, err := o.texts.of(newest)
	if err == nil {
		err = statedir.Write(o.files.Routes, text)
	}
	if err != nil {
		slog.Error("could not write the route table", "err", err)
		return
	}
	o.onDisk.Set(newest.Version)
}

// awaitWritten waits until the table of a version, or a later one, is in the
// file, and with it the generations of the apps.
func (o *Owner) awaitWritten(ctx context.Context, version uint64) error {
	for {
		written, changed := o.onDisk.Wait()
		if written >= version {
			return nil
		}
		select {
		case <-changed:
		case <-o.ended:
			return errStopping
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
