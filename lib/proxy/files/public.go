package files

import (
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

// At finds the files for a path below the base URI, nil if there are none, and
// what of the path names the file, from a slash on. A mount has its paths for itself:
// they are looked for nowhere else, in whatever encoding.
func (p *Public) At(path []byte) (f *Files, name []byte) {
	for i := range p.mounts {
		if m := &p.mounts[i]; m.begins(path) {
			return m.value, path[len(m.prefix)-1:]
		} else if m.means(path) {
			return nil, nil
		}
	}
	return p.rest, path
}

// CacheControl is the value of Cache-Control for a path, empty if no setting says
// any.
func (p *Public) CacheControl(path []byte) string {
	for i := range p.caching {
		if c := &p.caching[i]; c.begins(path) || c.means(path) {
			return c.value
		}
	}
	return ""
}
