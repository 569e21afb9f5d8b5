package proxy

import (
	"cmp"
	"errors"
	"hash/maphash"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"passenger/lib/protocol"
)

// Files are an app's static files: the directory of the release that serves
// and, as long as processes of an earlier one are there, that one's after it. So
// a page finds the files that it was made with, whichever process made it.
type files struct {
	roots []*root

	// former are those of the releases that went last. A browser may have a page
	// of theirs still, which asks for files whose names are of no other release:
	// those with fingerprints.
	former []*root

	salt uint64 // tells its paths from those of others among the misses
}

// A publicDirs is what an app's files were when the last table came.
type publicDirs struct {
	generation    int
	released      bool // they are those of processes
	roots, former []*root
}

// files returns the app's static files, nil if it has none. p.mu is held.
func (a *app) files(r *protocol.Route) *files {
	if r.StaticDir == "" || r.StaticDir == "none" {
		a.public = publicDirs{}
		return nil
	}
	last, next := &a.public, publicDirs{generation: r.Generation}
	dirs := a.releaseDirs(r)
	switch next.released = len(dirs) > 0; {
	case next.released:
	case last.released && last.generation == r.Generation:
		return newFiles(last) // the next process will be of that release, too
	default:
		dirs = []place{placeOf(r, a.homeOf(r, nil), r.StaticDir, staticKey)}
	}
	for _, dir := range dirs {
		next.roots = append(next.roots, last.root(r.App, dir))
	}
	if next.former = without(last.roots, next.roots); len(next.former) == 0 || !last.released {
		next.former = without(last.former, next.roots)
	}
	a.public = next
	return newFiles(&next)
}

// root returns the root of a directory, which is open already if it was one
// before. Requests may use those that are none any more still; the garbage
// collector closes them.
func (d *publicDirs) root(app string, dir place) *root {
	for _, r := range slices.Concat(d.roots, d.former) {
		if r.place == dir {
			return r
		}
	}
	return newRoot(app, dir)
}

func without(list, others []*root) []*root {
	return slices.DeleteFunc(slices.Clone(list), func(r *root) bool { return slices.Contains(others, r) })
}

func newFiles(d *publicDirs) *files {
	f := &files{roots: d.roots, former: d.former}
	for _, r := range d.roots {
		f.salt = f.salt*31 + maphash.String(seed, r.app+" "+r.path)
	}
	return f
}

// releaseDirs are the directories of files in the releases that the route's
// processes are of: those with processes that get requests first, and the
// newest of them before others. There are none without processes, or if the
// files are not below the app's directory.
func (a *app) releaseDirs(r *protocol.Route) []place {
	name, ok := below(r.AppRoot, r.StaticDir)
	if !ok {
		return nil
	}
	list := slices.DeleteFunc(slices.Clone(r.Processes), func(p protocol.RouteProcess) bool { return p.AppRoot == "" })
	slices.SortStableFunc(list, func(a, b protocol.RouteProcess) int {
		if a.Draining != b.Draining {
			if a.Draining {
				return 1
			}
			return -1
		}
		return cmp.Compare(b.Generation, a.Generation)
	})
	var dirs []place
	for _, p := range list {
		if dir := placeOf(r, a.homeOf(r, &p), filepath.Join(p.AppRoot, name), staticKey); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// staticKey is the setting that names the directory.
const staticKey = "static_files_dir"

// renewal is how long another directory may have taken a root's place before
// that is seen. It is a wait that a build of assets outlasts.
const renewal = time.Second

// A root is a directory of static files. It is held open, and looked up again
// from time to time: who builds files anew often makes a directory anew.
type root struct {
	place
	app     string
	looked  atomic.Int64         // when it was looked up, in Unix nanoseconds
	failing atomic.Bool          // it could not be opened the last time
	tree    atomic.Pointer[tree] // nil if there is no such directory
	shared  *root                // the files that releases have in common; nil if they have none
}

func newRoot(app string, p place) *root {
	r := &root{place: p, app: app}
	now := time.Now()
	r.renew(now)
	if name, ok := below(p.home.path, p.path); ok {
		if g, err := p.home.at(now); err == nil {
			if path, ok := sharedPath(g.Path, name); ok {
				r.shared = &root{place: place{home: p.home, path: path}, app: app}
				r.shared.renew(now)
			}
		}
	}
	return r
}

// look opens the regular file of a name, which ends in NUL.
func (r *root) look(name []byte, now time.Time) (f regular, err error) {
	t := r.at(now)
	if t == nil {
		return f, syscall.ENOENT
	}
	if f, err = t.look(name); err == syscall.EXDEV && r.shared != nil {
		if shared := r.shared.at(now); shared != nil {
			return t.lookShared(shared, name)
		}
	}
	return f, err
}

// at is the directory as of now, nil if there is none.
func (r *root) at(now time.Time) *tree {
	last, t := r.looked.Load(), now.UnixNano()
	if t-last >= int64(renewal) && r.looked.CompareAndSwap(last, t) {
		r.renew(now)
	}
	return r.tree.Load()
}

// renew opens the directory again, and keeps the one that is open if it is the
// same.
func (r *root) renew(now time.Time) {
	r.home.looked.Store(0)
	t, err := openTree(r.place, now)
	if was := r.tree.Load(); err == nil && was != nil && was.same(t) {
		t.close()
		t = was
	}
	if err != nil {
		t = nil
	}
	r.tree.Store(t)
	failing := err != nil && !errors.Is(err, os.ErrNotExist)
	if was := r.failing.Swap(failing); failing && !was {
		slog.Warn("static files cannot be read; the app is asked for them", "app", r.app, "err", err)
	}
}

// Misses are paths that were no files a moment ago, so that an app's pages
// cost no look at the disk each time. The zero value is ready for use.
type misses [4096]atomic.Uint64

// missBits are those of a miss that say when it was, in seconds; the others are
// its hash. One counts until the second is over.
const missBits = 16

func (f *files) missed(path []byte) uint64 { return maphash.Bytes(seed, path) ^ f.salt }

// has says whether the path of a hash was missed in the second of now.
func (m *misses) has(hash uint64, now time.Time) bool {
	return m[hash%uint64(len(m))].Load() == stamped(hash, now)
}

func (m *misses) add(hash uint64, now time.Time) {
	m[hash%uint64(len(m))].Store(stamped(hash, now))
}

func stamped(hash uint64, now time.Time) uint64 {
	return hash<<missBits | uint64(now.Unix())&(1<<missBits-1)
}
