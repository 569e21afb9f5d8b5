package app

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// A place is how an application of one kind of framework is told in a file that
// has no usual name.
type place struct {
	imports func() *regexp.Regexp // a framework
	makes   func() *regexp.Regexp // an application by any name, its first group
	needed  func(fs.FS) bool      // the app lists such a framework, and no other
}

var (
	asgiElsewhere = place{
		imports: asgiFramework,
		makes:   pattern(`(?m)^(\w+)\s*(?::[^=\n]+)?=\s*(?:\w+\.)?(?:FastAPI|Starlette|Quart|Litestar|Application)\s*\(`),
		needed:  needsASGI,
	}
	flaskElsewhere = place{
		imports: flask,
		makes:   pattern(`(?m)^(\w+)\s*(?::[^=\n]+)?=\s*(?:\w+\.)?Flask\s*\(`),
		needed:  needsWSGI,
	}
)

// fastAPIEntry is what "fastapi run" runs by pyproject.toml.
var fastAPIEntry = pattern(`(?m)^\s*entrypoint\s*=\s*["']([A-Za-z0-9_.]+):([A-Za-z0-9_]+)["']`)

// likelyDirectories hold an app beside what else a repository has.
var likelyDirectories = []string{"src", "app", "backend", "server", "api", "web", "src/app", "backend/app", "server/app"}

// likelyModules are startup files there, the likeliest first.
var likelyModules = []string{"main.py", "app.py", "api.py", "asgi.py", "wsgi.py", "server.py", "run.py"}

// findElsewhere finds an application of a framework in files that neither it nor
// we have a name for: those at the top, then the likely ones further down.
func findElsewhere(p place) func(fs.FS, bool) (*Detection, string) {
	return func(root fs.FS, _ bool) (*Detection, string) {
		if b, err := fs.ReadFile(root, "pyproject.toml"); err == nil && strings.Contains(string(b), "[tool.fastapi]") {
			if m := fastAPIEntry().FindSubmatch(b); m != nil {
				if file := moduleFile(strings.Split(string(m[1]), ".")); exists(root, file) {
					return &Detection{StartupFile: file + ":" + string(m[2])}, "pyproject.toml has it as FastAPI's entrypoint"
				}
			}
		}
		for _, files := range [][]string{pythonFiles(root), modulesFurtherDown(root)} {
			if found := p.in(root, files); len(found) == 1 {
				return &Detection{StartupFile: found[0]}, "found " + found[0]
			} else if len(found) > 1 {
				return nil, fmt.Sprintf("any of %s may be meant; set startup_file to one", strings.Join(found, ", "))
			}
		}
		return nil, notThere
	}
}

// in returns which of files have an application, at most maxNearest, and one of a
// directory below the top.
func (p place) in(root fs.FS, files []string) (found []string) {
	needed := p.needed(root)
	last := "" // the directory of what was found last
	for _, file := range files {
		b, err := fs.ReadFile(root, file)
		if err != nil || strings.Contains(file, "/") && path.Dir(file) == last {
			continue
		}
		imports := p.imports().Match(b)
		if !imports && !needed {
			continue
		}
		name := cmp.Or(callableIn(b), factoryIn(b))
		if m := p.makes().FindSubmatch(b); name == "" && imports && m != nil {
			name = string(m[1])
		}
		if name != "" && len(found) < maxNearest {
			found, last = append(found, file+":"+name), path.Dir(file)
		}
	}
	return found
}

// maxPythonFiles is how many files at the top are read.
const maxPythonFiles = 50

// pythonFiles are the modules at the top that are no tests or settings.
func pythonFiles(root fs.FS) (files []string) {
	for _, e := range list(root, ".") {
		name := e.Name()
		if path.Ext(name) != ".py" || strings.HasPrefix(name, "test") || slices.Contains([]string{"setup.py", "conftest.py", "config.py", "manage.py"}, name) {
			continue
		}
		if files = append(files, name); len(files) == maxPythonFiles {
			break
		}
	}
	return files
}

// modulesFurtherDown are the likely startup files of each likely directory and of
// each package, the likeliest first.
func modulesFurtherDown(root fs.FS) (files []string) {
	dirs := slices.Clone(likelyDirectories)
	for _, file := range packages(root) {
		if dir := path.Dir(file); !slices.Contains(dirs, dir) && !slices.Contains(notOurs, path.Base(dir)) {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range dirs {
		for _, module := range likelyModules {
			if file := path.Join(dir, module); exists(root, file) {
				files = append(files, file)
			}
		}
	}
	return files
}
