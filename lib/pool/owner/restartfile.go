package owner

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"passenger/lib/protocol"
)

// filesEvery is how often the restart files are looked at. Two stat calls an
// app cost microseconds; inotify would have to follow the symlinks of every
// release instead.
const filesEvery = time.Second

// A restartFile is what was last seen of an app's restart files. Nothing of
// them is ever read: the pool may be more privileged than who can place a link
// there.
type restartFile struct {
	touched time.Time // modification of restart.txt, the zero time if there is none
	always  bool      // there is an always_restart.txt
}

// watchFiles restarts apps whose restart.txt is touched, and tells the pool of
// those that have an always_restart.txt.
func (o *Owner) watchFiles(ctx context.Context) {
	seen := map[string]restartFile{}
	for ; ctx.Err() == nil; rest(ctx, filesEvery) {
		list, err := o.Apps(ctx)
		if err != nil {
			return // it is stopping
		}
		now := map[string]restartFile{}
		for _, a := range list.Apps {
			before, known := seen[a.Name]
			if !known && !list.SpawnerUp {
				continue // nobody knows since when its processes run
			}
			now[a.Name] = o.lookAt(ctx, a, before, known)
		}
		seen = now
	}
}

// lookAt looks at the restart files of one app.
func (o *Owner) lookAt(ctx context.Context, a protocol.App, before restartFile, known bool) restartFile {
	dir := a.Config.RestartDir
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(a.Config.AppRoot, dir)
	}
	if dir == "" || a.Config.AppRoot == "" {
		return before // its settings are not known
	}
	found := restartFile{touched: touched(filepath.Join(dir, "restart.txt")), always: !touched(filepath.Join(dir, "always_restart.txt")).IsZero()}
	if found.always != before.always {
		o.tell(ctx, func(time.Time) { o.pool.AlwaysRestart(a.Name, found.always) })
	}
	if !known && !missed(a, found.touched) || found.touched.IsZero() || found.touched.Equal(before.touched) {
		return found
	}
	if _, err := o.restart(ctx, a.Name, wish{cause: "restart.txt"}, nil); err != nil && !errors.Is(err, errStopping) {
		slog.Error("could not restart app for its restart.txt", "app", a.Name, "err", err)
	}
	return found
}

// touched is when a file was last modified, the zero time if there is none.
func touched(path string) time.Time {
	fi, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return fi.ModTime()
}

// missed says that a restart file was touched while no pool ran: after the
// app's processes were started.
func missed(a protocol.App, at time.Time) bool {
	if at.After(time.Now()) {
		return false // a clock is wrong
	}
	for _, p := range a.Processes {
		if p.Generation == a.Generation && !p.StartedAt.IsZero() && p.StartedAt.Before(at) {
			return true
		}
	}
	return false
}
