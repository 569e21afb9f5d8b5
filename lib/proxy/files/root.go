package files

import (
	"errors"
	"hash/maphash"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

var hashSeed = maphash.MakeSeed()

// Files are an app's static files: the directory of the release that serves
// and, as long as processes of an earlier one are there, that one's after it. So
// a page finds the files that it was made with, whichever process made it.
type Files struct {
	Roots []*Root

	// Former are those of the releases that went last. A browser may have a page
	// of theirs still, which asks for files whose names are of no other release:
	// those with fingerprints.
	Former []*Root

	salt uint64 // tells its paths from those of others among the misses
}

// A publicDirs is what an app's files were when the last table came.
type publicDirs struct {
	generation    int
	released      bool // they are those of processes
	roots, former []*Root
}

// root returns the root of a directory, which is open already if it was one
// before. Requests may use those that are none any more still; the garbage
// collector closes them.
func (d *publicDirs) root(app string, dir Place) *Root {
	for _, r := range slices.Concat(d.roots, d.former) {
		if r.Place == dir {
			return r
		}
	}
	return newRoot(app, dir)
}

func without(list, others []*Root) []*Root {
	return slices.DeleteFunc(slices.Clone(list), func(r *Root) bool { return slices.Contains(others, r) })
}

func newFiles(d *publicDirs) *Files {
	f := &Files{Roots: d.roots, Former: d.former}
	for _, r := range d.roots {
		f.salt = f.salt*31 + maphash.String(hashSeed, r.app+" "+r.Path)
	}
	return f
}

// renewal is how long another directory may have taken a root's place before
// that is seen. It is a wait that a build of assets outlasts.
const renewal = time.Second

// A Root is a directory of static files. It is held open, and looked up again
// from time to time: who builds files anew often makes a directory anew.
type Root struct {
	Place
	app     string
	looked  atomic.Int64         // when it was looked up, in Unix nanoseconds
	failing atomic.Bool          // it could not be opened the last time
	tree    atomic.Pointer[Tree] // nil if there is no such directory
	shared  *Root                // the files that releases have in common; nil if they have none
}

func newRoot(app string, p Place) *Root {
	r := &Root{Place: p, app: app}
	now := time.Now()
	r.renew(now)
	if name, ok := below(p.home.path, p.Path); ok {
		if g, err := p.home.at(now); err == nil {
			if path, ok := sharedPath(g.Path, name); ok {
				r.shared = &Root{Place: Place{home: p.home, Path: path}, app: app}
				r.shared.renew(now)
			}
		}
	}
	return r
}

// Look opens the regular file of a name, which ends in NUL.
func (r *Root) Look(name []byte, now time.Time) (f Regular, err error) {
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
func (r *Root) at(now time.Time) *Tree {
	last, t := r.looked.Load(), now.UnixNano()
	if t-last >= int64(renewal) && r.looked.CompareAndSwap(last, t) {
		r.renew(now)
	}
	return r.tree.Load()
}

// renew opens the directory again, and keeps the one that is open if it is the
// same.
func (r *Root) renew(now time.Time) {
	r.home.looked.Store(0)
	t, err := OpenTree(r.Place, now)
	if was := r.tree.Load(); err == nil && was != nil && was.same(t) {
		t.Close()
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
type Misses [4096]atomic.Uint64

// missBits are those of a miss that say when it was, in seconds; the others are
// its hash. One counts until the second is over.
const missBits = 16

func (f *Files) Missed(path []byte) uint64 { return maphash.Bytes(hashSeed, path) ^ f.salt }

// Has says whether the path of a hash was missed in the second of now.
func (m *Misses) Has(hash uint64, now time.Time) bool {
	return m[hash%uint64(len(m))].Load() == stamped(hash, now)
}

func (m *Misses) Add(hash uint64, now time.Time) {
	m[hash%uint64(len(m))].Store(stamped(hash, now))
}

func stamped(hash uint64, now time.Time) uint64 {
	return hash<<missBits | uint64(now.Unix())&(1<<missBits-1)
}
