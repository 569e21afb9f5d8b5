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

// lookTime is how long a look at an app's restart files may hold up those at
// the others'.
const lookTime = 200 * time.Millisecond

// filesEvery is how often the pool looks at the restart files. Two stat calls
// for each app cost microseconds; inotify would have to follow the symlinks of
// every release instead.
const filesEvery = time.Second

// A restartFile is what was last seen of an app's restart files. The pool never
// reads them: it may be more privileged than the user who can place a link there.
type restartFile struct {
	touched time.Time // modification of restart.txt, the zero time if there is none
	always  bool      // there is an always_restart.txt
}

// looks are those under way, by directory. Where a file server does not answer,
// stat(2) never ends, and no signal ends it. The pool waits for such a look no
// longer than lookTime, and begins no second one meanwhile.
type looks map[string]chan restartFile

// at looks at a directory. It says no if there is no answer yet.
func (l looks) at(ctx context.Context, dir string) (restartFile, bool) {
	found, patience := l[dir], time.Duration(0)
	if found == nil {
		found, patience = make(chan restartFile, 1), lookTime // room for an answer that comes too late
		l[dir] = found
		go func() {
			if testOnlyLooking != nil {
				testOnlyLooking(dir)
			}
			found <- restartFile{touched: touched(filepath.Join(dir, "restart.txt")), always: !touched(filepath.Join(dir, "always_restart.txt")).IsZero()}
		}()
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	if len(found) > 0 { // or the select below may see that it is late, too
		late.Stop()
	}
	select {
	case f := <-found:
		delete(l, dir)
		return f, true
	case <-late.C:
		if patience > 0 {
			slog.Warn("restart files could not be looked at; the file system does not answer", "dir", dir, "within", patience)
		}
	case <-ctx.Done():
	}
	return restartFile{}, false
}

// testOnlyLooking is called before a directory is looked at.
var testOnlyLooking func(dir string)

// watchFiles restarts apps whose restart.txt is touched, and tells the pool of
// those that have an always_restart.txt.
func (o *Owner) watchFiles(ctx context.Context) {
	seen, under := map[string]restartFile{}, looks{}
	for ; ctx.Err() == nil; rest(ctx, filesEvery) {
		list, err := o.Apps(ctx)
		if err != nil {
			return // it is stopping
		}
		now := map[string]restartFile{}
		for _, a := range list.Apps {
			before, known := seen[a.Name]
			if !known && !list.SpawnerUp {
				continue // it is not known since when its processes run
			}
			if f, ok := o.lookAt(ctx, under, a, before, known); ok || known {
				now[a.Name] = f
			}
		}
		seen = now
	}
}

// lookAt looks at the restart files of one app, and says whether it saw them.
func (o *Owner) lookAt(ctx context.Context, under looks, a protocol.App, before restartFile, known bool) (restartFile, bool) {
	dir := a.Config.RestartDir
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(a.Config.AppRoot, dir)
	}
	if dir == "" || a.Config.AppRoot == "" {
		return before, true // its settings are not known
	}
	found, ok := under.at(ctx, dir)
	if !ok {
		return before, false
	}
	if found.always != before.always {
		o.tell(ctx, func(time.Time) { o.pool.AlwaysRestart(a.Name, found.always) })
	}
	if !known && !missed(a, found.touched) || found.touched.IsZero() || found.touched.Equal(before.touched) {
		return found, true
	}
	if _, err := o.restart(ctx, a.Name, wish{cause: "restart.txt"}, nil); err != nil && !errors.Is(err, errStopping) {
		slog.Error("could not restart app for its restart.txt", "app", a.Name, "err", err)
	}
	return found, true
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
