package files

import (
	"cmp"
	"path/filepath"
	"slices"

	"passenger/lib/protocol"
)

// Public is all that proxies serve of an app's files by themselves.
type Public struct {
	mounts  []prefixed[*Files] // the longest prefix first
	rest    *Files             // for all other paths; nil if there are none
	caching []prefixed[string] // values of Cache-Control, the longest prefix first
}

// A prefixed value is for the paths that begin with a prefix, which ends with a
// slash.
type prefixed[V any] struct {
	prefix string
	value  V
}

// staticKey is the setting that names the directory for all paths that no mount
// begins.
const staticKey = "static_files_dir"

// Public returns the app's static files, nil if it has none.
func (d *Dirs) Public(r *protocol.Route) *Public {
	kept := d.public
	d.public = map[string]*publicDirs{}
	p := &Public{}
	for prefix, dir := range r.StaticMounts {
		if !filepath.IsAbs(dir) {
			if r.AppRoot == "" {
				continue
			}
			dir = filepath.Join(r.AppRoot, dir)
		}
		p.mounts = append(p.mounts, prefixed[*Files]{prefix, d.files(r, filepath.Clean(dir), protocol.StaticMountKey(prefix), kept)})
	}
	if r.StaticDir != "" && r.StaticDir != "none" {
		p.rest = d.files(r, r.StaticDir, staticKey, kept)
	}
	if len(p.mounts) == 0 && p.rest == nil {
		return nil
	}
	for prefix, value := range r.StaticCacheControl {
		p.caching = append(p.caching, prefixed[string]{prefix, value})
	}
	slices.SortFunc(p.mounts, longer[*Files])
	slices.SortFunc(p.caching, longer[string])
	return p
}

func longer[V any](a, b prefixed[V]) int {
	return cmp.Or(cmp.Compare(len(b.prefix), len(a.prefix)), cmp.Compare(a.prefix, b.prefix))
}

// At finds the files for a path below the base URI, nil if there are none, and
// what of the path names the file, from a slash on. A mount has its paths for itself:
// they are looked for nowhere else.
func (p *Public) At(path []byte) (f *Files, name []byte) {
	for i := range p.mounts {
		if m := &p.mounts[i]; m.begins(path) {
			return m.value, path[len(m.prefix)-1:]
		}
	}
	return p.rest, path
}

// CacheControl is the value of Cache-Control for a path, empty if no setting says
// any.
func (p *Public) CacheControl(path []byte) string {
	for i := range p.caching {
		if c := &p.caching[i]; c.begins(path) {
			return c.value
		}
	}
	return ""
}

func (p *prefixed[V]) begins(path []byte) bool {
	return len(path) >= len(p.prefix) && string(path[:len(p.prefix)]) == p.prefix
}
