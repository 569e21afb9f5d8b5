// Package sources tells when files that a program is made of have changed, by
// looking at them again and again. It needs nothing of the kernel: no descriptor
// for each directory, and files on a network or shared with a virtual machine are
// seen, too.
package sources

import (
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Patterns are the names of files that interpreters read, as [path.Match] has
// them: code, templates and settings.
var Patterns = strings.Fields(`*.rb *.ru *.rake Gemfile.lock *.erb *.haml *.slim
	*.py *.html *.j2 *.jinja *.jinja2 *.mako
	*.js *.mjs *.cjs *.ts *.mts *.cts *.jsx *.tsx *.ejs *.pug *.hbs *.njk
	*.json *.yml *.yaml *.toml .env .env.*`)

// Ignored are the names of directories that hold no source of the app's own: what
// is installed, built, written while it runs, or served as it is. Those whose name
// begins with a dot hold none either.
var Ignored = strings.Fields(`node_modules bower_components vendor venv env __pycache__ site-packages
	tmp temp log logs cache storage uploads media public static staticfiles
	coverage build dist target`)

// Most is how many files are looked at in one tree, the first in their order.
const Most = 20000

// mostLooks is after how many looks what changed is told though it goes on: a file
// may be written all the time.
const mostLooks = 10

// A Tree is a directory whose files are looked at.
type Tree struct {
	Dir      string
	Patterns []string // nil means those of the package
	Ignored  []string // names of directories, beside those of the package

	seen    map[string]stamp // nil before the first look
	pending []string         // changed, and perhaps not all yet
	looks   int              // since the first of these
}

// A stamp is what tells that a file was written.
type stamp struct {
	modified time.Time
	size     int64
}

// Look looks at the files, and returns the paths, below Dir, of those that came,
// went or were written since the look before, in order. The first look returns
// none. A file that cannot be looked at is as one that is not there.
func (t *Tree) Look() (changed []string, complete bool) {
	now := map[string]stamp{}
	complete = true
	_ = filepath.WalkDir(t.Dir, func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil
		case e.IsDir():
			if p != t.Dir && t.ignores(e.Name()) {
				return fs.SkipDir
			}
			return nil
		case !t.wants(e.Name()):
			return nil
		case len(now) == Most:
			complete = false
			return fs.SkipAll
		}
		if fi, err := e.Info(); err == nil {
			now[strings.TrimPrefix(p, t.Dir+"/")] = stamp{fi.ModTime(), fi.Size()}
		}
		return nil
	})
	before := t.seen
	if t.seen = now; before == nil {
		return nil, complete
	}
	for p, s := range now {
		if was, ok := before[p]; !ok || !was.modified.Equal(s.modified) || was.size != s.size {
			changed = append(changed, p)
		}
	}
	for p := range before {
		if _, ok := now[p]; !ok {
			changed = append(changed, p)
		}
	}
	slices.Sort(changed)
	return changed, complete
}

func (t *Tree) ignores(dir string) bool {
	return strings.HasPrefix(dir, ".") || slices.Contains(Ignored, dir) || slices.Contains(t.Ignored, dir)
}

func (t *Tree) wants(name string) bool {
	patterns := t.Patterns
	if patterns == nil {
		patterns = Patterns
	}
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	})
}

// Settled looks, and returns the paths of all files that changed since it last
// returned some, once a look finds no more: an editor or a checkout writes one after
// another. It returns nil until then, or until mostLooks looks have each found some.
func (t *Tree) Settled() []string {
	changed, _ := t.Look()
	all := append(t.pending, changed...)
	if t.looks++; len(all) == 0 || len(changed) > 0 && t.looks < mostLooks {
		if t.pending = all; len(all) == 0 {
			t.looks = 0
		}
		return nil
	}
	t.pending, t.looks = nil, 0
	slices.Sort(all)
	return slices.Compact(all)
}
