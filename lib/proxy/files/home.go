package files

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/protocol"
	"passenger/lib/trail"
)

// A Home is an app's directory, or that of one of its releases, with what is
// needed to open files there for an app that may not read all that we may. Its
// user can put a link in the place of any file or directory that is its own, at
// any moment.
type Home struct {
	identity

	looked  atomic.Int64 // when its path was followed, in Unix nanoseconds
	failing atomic.Bool
	dir     atomic.Pointer[ground] // nil if it could not be opened
}

// An identity is what the route table says of a home.
type identity struct {
	app, path     string
	device, inode uint64 // which directory it was when its processes started; 0 if that is not known
	owner         int    // of that directory; UnknownUser if that is not known
	uid           int    // the app's user; UnknownUser if that is not known
	foreign       bool   // its user led there, and it is another's
}

// UnknownUser stands for a user that the route table does not name.
const UnknownUser = -1

// A ground is a directory of an app, held open.
type ground struct {
	*trail.Trail
	owners  []int // whose files may be sent wherever they lie
	foreign bool  // of others' no more may be sent than every user may read
}

// free says that the app may read all that we may: there is nothing to keep
// from it.
func (o *identity) free() bool { return o.uid == 0 || o.uid == os.Geteuid() }

// at is the directory as of now. It is followed again from time to time: some
// deploy by putting another in its place.
func (h *Home) at(now time.Time) (*ground, error) {
	if h.path == "" {
		return nil, errNoHome
	}
	last, t := h.looked.Load(), now.UnixNano()
	if last == 0 || t-last >= int64(renewal) && h.looked.CompareAndSwap(last, t) {
		if err := h.renew(); err != nil && h.dir.Load() == nil {
			return nil, err
		}
		h.looked.CompareAndSwap(0, t)
	}
	g := h.dir.Load()
	if g == nil {
		return nil, fmt.Errorf("open %s: %w", h.path, unix.ENOENT)
	}
	return g, nil
}

var errNoHome = errors.New("the directory of the app is not known")

// renew follows the path again. A directory that was the right one stays, if
// what its path leads to now is not. If there never was a right one, what every
// user may read of another's is sent.
func (h *Home) renew() error {
	t, err := trail.Follow(h.path)
	g := h.dir.Load()
	foreign := h.foreign
	if err == nil && !h.right(t) {
		foreign = true
		if g != nil && !g.foreign || !t.ReadableByAll() {
			t.Close()
			err = fmt.Errorf("%s leads to the directory of another user now", h.path)
		}
	}
	failing := err != nil && !errors.Is(err, os.ErrNotExist)
	if was := h.failing.Swap(failing); failing && !was {
		slog.Warn("directory of an app not opened; files there are not sent", "app", h.app, "err", err)
	}
	if err != nil {
		return err
	}
	if g != nil && g.Stat.Dev == t.Stat.Dev && g.Stat.Ino == t.Stat.Ino && g.foreign == foreign {
		t.Close()
		return nil
	}
	g = &ground{Trail: t, owners: []int{h.uid}, foreign: foreign}
	if !foreign {
		g.owners = append(g.owners, t.Owner())
	}
	h.dir.Store(g)
	return nil
}

// right reports whether the trail led to what may be the app's directory. That is
// the directory it was, if it still has the same owner, since its inode may be
// another's by now; or one in its place that only its own user could have linked
// to.
func (h *Home) right(t *trail.Trail) bool {
	same := h.inode != 0 && t.Stat.Dev == h.device && t.Stat.Ino == h.inode && (h.owner == UnknownUser || h.owner == t.Owner())
	return h.free() || same || t.ChosenBy(t.Owner()) || t.Owner() == h.uid
}

// A Place is a file or directory that the settings of an app name.
type Place struct {
	home *Home
	Path string

	// ours says that the administrator named it, and not the app's own settings.
	ours bool
}

// PlaceOf is the place of a path, which a setting names.
func PlaceOf(r *protocol.Route, h *Home, path, key string) Place {
	return Place{h, path, !slices.Contains(r.SetByApp, key)}
}

// below returns path relative to root, if it lies there by its name.
func below(root, path string) (name string, ok bool) {
	if root == "" {
		return "", false
	}
	name, err := filepath.Rel(root, path)
	return name, err == nil && name != ".." && !strings.HasPrefix(name, "../")
}

// find follows the path of the place. limits say what may be sent of what is
// there.
//
// What lies below the app's directory may lead out of it to what belongs to the
// app's user, or to the directory's owner if that one made the links. Beyond
// that it leads to what every user may read, or to what the administrator named.
func (p Place) find(now time.Time) (t *trail.Trail, l limits, err error) {
	name, inside := below(p.home.path, p.Path)
	g := &ground{owners: []int{p.home.uid}}
	if inside || !p.ours {
		if g, err = p.home.at(now); err != nil {
			return nil, l, err
		}
	}
	switch {
	case !inside:
		t, err = trail.Follow(p.Path)
	case g.foreign:
		t, err = g.Follow(name)
	default:
		if t, err = g.beneath(name); err == nil {
			return t, limits{all: true, owners: g.owners, free: p.home.free()}, nil
		}
		if errors.Is(err, unix.EXDEV) {
			t, err = g.Follow(name)
		}
	}
	if err != nil {
		return nil, l, err
	}
	if l, err = p.limits(g, t, p.ours && !inside); err != nil {
		t.Close()
	}
	return t, l, err
}

// limits are those of what a trail led to that nothing confined, from the
// app's ground. named says that the administrator named it.
func (p Place) limits(g *ground, t *trail.Trail, named bool) (limits, error) {
	owner := t.Owner()
	switch {
	case p.home.free():
		return limits{all: true, owners: []int{owner}, free: true}, nil
	case named && len(t.Links) == 0:
		return limits{all: true, owners: []int{p.home.uid, owner}}, nil
	case named && (owner == p.home.uid || t.ChosenBy(owner)):
		return limits{owners: []int{p.home.uid, owner}}, nil
	case g.owns(t):
		return limits{owners: g.owners}, nil
	case t.ReadableByAll():
		return limits{owners: []int{p.home.uid}}, nil
	}
	return limits{}, &os.PathError{Op: "open", Path: p.Path, Err: errOthers}
}

// OpenFile opens the place, which is a regular file by itself.
func (p Place) OpenFile(now time.Time) (*os.File, error) {
	way, l, err := p.find(now)
	if err != nil {
		return nil, err
	}
	defer way.Close()
	if !way.Regular() {
		return nil, errIrregular
	}
	if l.all && !l.allows(-1, way.Stat, nil) {
		return nil, errOthers
	}
	fd, err := way.Open()
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), p.Path), nil
}

// errOthers says that the app has no right to what its directory leads to.
var errOthers = fmt.Errorf("it is another user's, or a link of another user's leads to it: %w", os.ErrPermission)

// owns says that what links led to belongs to one of the owners of the ground,
// and that they made the links.
func (g *ground) owns(t *trail.Trail) bool {
	return t.Owner() == g.owners[0] || slices.Contains(g.owners, t.Owner()) && t.ChosenBy(g.owners[1:]...)
}

// beneath opens what lies below the directory. The error is unix.EXDEV for what
// a link leads out to.
func (g *ground) beneath(name string) (*trail.Trail, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	for attempt := 1; ; attempt++ {
		fd, err := unix.Openat2(int(g.File.Fd()), name, &how)
		runtime.KeepAlive(g)
		switch {
		case err == nil:
			t := &trail.Trail{File: os.NewFile(uintptr(fd), name)}
			if err := unix.Fstat(fd, &t.Stat); err != nil {
				t.Close()
				return nil, err
			}
			return t, nil
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN) && attempt < raceAttempts:
		case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM):
			return g.straight(name) // a kernel before 5.6, or a sandbox
		default:
			return nil, &os.PathError{Op: "open", Path: name, Err: err}
		}
	}
}

// straight is beneath without openat2. It takes every symbolic link for one that
// leads out.
func (g *ground) straight(name string) (*trail.Trail, error) {
	t, err := g.Follow(name)
	if err == nil && !t.Straight {
		t.Close()
		err = unix.EXDEV
	}
	return t, err
}

// Limits say which files may be sent for an app.
type limits struct {
	free   bool  // all of them
	all    bool  // all but further names of others' files
	owners []int // of those that may be sent in any case
}

// allows says that a file may be sent, which was opened below the tree.
func (l *limits) allows(fd int, st unix.Stat_t, t *Tree) bool {
	if l.free || l.all && st.Nlink == 1 || slices.Contains(l.owners, int(st.Uid)) {
		return true
	}
	// Who may not read a file can give it a further name, where the kernel does
	// not forbid that. Where every user may read it, nothing is lost.
	return st.Mode&0o004 != 0 && (l.all || t.public(fd, st))
}
