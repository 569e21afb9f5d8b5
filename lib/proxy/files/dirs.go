// Package files opens the files of apps: safely, for each app's user can put a
// link in the place of any file or directory of its own, at any moment; and
// quickly, for most requests of a page are for them.
//
// Dirs are the directories of one app. Files are its static files, a Sendfile is
// what its answers may name. Trees open what is beneath them and nothing else.
package files

import (
	"cmp"
	"path/filepath"
	"slices"

	"passenger/lib/protocol"
)

// Dirs are the directories of one app: those that its processes were started
// from, and those of its static files. Its methods are for one goroutine at a
// time; what they return is for any.
type Dirs struct {
	homes  map[identity]*Home
	public map[string]*publicDirs // by the setting that names the directory
}

// Home returns the home of the route itself, or of one of its processes.
func (d *Dirs) Home(r *protocol.Route, p *protocol.RouteProcess) *Home {
	o := identity{app: r.App, path: r.AppRoot, owner: UnknownUser, uid: UnknownUser}
	uid := r.UID
	if p != nil {
		o.path, o.device, o.inode, o.foreign = p.AppRoot, p.Device, p.Inode, p.Foreign
		if p.UID != nil {
			uid = p.UID
		}
		if p.Owner != nil {
			o.owner = *p.Owner
		}
	}
	if uid != nil {
		o.uid = *uid
	}
	if h := d.homes[o]; h != nil {
		return h
	}
	if d.homes == nil {
		d.homes = map[identity]*Home{}
	}
	h := &Home{identity: o}
	d.homes[o] = h
	return h
}

// Forget leaves those that the route does not have to the garbage
// collector, which closes them once no file of them is asked for any more.
func (d *Dirs) Forget(r *protocol.Route) {
	all := d.homes
	d.homes = nil
	keep := func(p *protocol.RouteProcess) {
		h := d.Home(r, p)
		if former := all[h.identity]; former != nil {
			d.homes[h.identity] = former
		}
	}
	keep(nil)
	for i := range r.Processes {
		keep(&r.Processes[i])
	}
}

// files returns the files of a directory that the setting key names. kept are
// those of the last table by their settings.
func (d *Dirs) files(r *protocol.Route, dir, key string, kept map[string]*publicDirs) *Files {
	last, next := kept[key], &publicDirs{generation: r.Generation}
	if last == nil {
		last = &publicDirs{}
	}
	list := d.releaseDirs(r, dir, key)
	switch next.released = len(list) > 0; {
	case next.released:
	case last.released && last.generation == r.Generation:
		d.public[key] = last
		return newFiles(last) // the next process will be of that release, too
	default:
		list = []Place{PlaceOf(r, d.Home(r, nil), dir, key)}
	}
	for _, dir := range list {
		next.roots = append(next.roots, last.root(r.App, dir))
	}
	if next.former = without(last.roots, next.roots); len(next.former) == 0 || !last.released {
		next.former = without(last.former, next.roots)
	}
	d.public[key] = next
	return newFiles(next)
}

// releaseDirs are the directories of files in the releases that the route's
// processes are of: those with processes that get requests first, and the
// newest of them before others. There are none without processes, or if the
// files are not below the app's directory.
func (d *Dirs) releaseDirs(r *protocol.Route, dir, key string) []Place {
	name, ok := below(r.AppRoot, dir)
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
	var dirs []Place
	for _, p := range list {
		if dir := PlaceOf(r, d.Home(r, &p), filepath.Join(p.AppRoot, name), key); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}
