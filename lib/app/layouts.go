package app

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// The layouts of this file are those that frameworks document besides the usual
// ones. They are looked for last, so that none of them takes a directory from
// what was found in it before.

// fastAPIFiles are where "fastapi run" looks, besides the usual ones.
var fastAPIFiles = []string{"api.py", "app/main.py", "app/app.py", "app/api.py"}

// findFastAPI finds an ASGI callable where FastAPI's documents put it, or a
// factory for one.
func findFastAPI(root fs.FS, _ bool) (*Detection, string) {
	result := notThere
	for _, file := range slices.Concat(fastAPIFiles, []string{"asgi.py", "main.py", "app.py"}) {
		b, err := fs.ReadFile(root, file)
		if err != nil {
			continue
		}
		name := cmp.Or(callableIn(b), factoryIn(b))
		framework := asgiFramework().FindSubmatch(b)
		if name != "" && (framework != nil || file == "asgi.py") {
			return &Detection{StartupFile: file + ":" + name}, fmt.Sprintf("%s has %s", file, name)
		}
		result = fmt.Sprintf("%s has no application of an ASGI framework, nor create_app or make_app", file)
	}
	return nil, result
}

// flask is an import of Flask.
var flask = pattern(`(?m)^\s*(?:from|import)\s+flask\b`)

// findFlask finds a factory in a file of the usual name, or Flask in one of
// another: a package that has a factory, as in Flask's tutorial.
func findFlask(root fs.FS, _ bool) (*Detection, string) {
	for _, file := range []string{"wsgi.py", "app.py"} {
		if b, err := fs.ReadFile(root, file); err == nil {
			if name := factoryIn(b); name != "" {
				return &Detection{StartupFile: file + ":" + name}, fmt.Sprintf("%s has %s", file, name)
			}
		}
	}
	var found []string
	for _, file := range slices.Concat([]string{"main.py", "flask_app.py", "run.py"}, packages(root)) {
		b, err := fs.ReadFile(root, file)
		if err != nil || !flask().Match(b) {
			continue
		}
		if name := cmp.Or(callableIn(b), factoryIn(b)); name != "" {
			found = append(found, file+":"+name)
		}
	}
	switch len(found) {
	case 0:
		return nil, notThere
	case 1:
		return &Detection{StartupFile: found[0]}, found[0] + " is Flask's"
	}
	return nil, fmt.Sprintf("any of %s may be meant; set startup_file to one", strings.Join(found, ", "))
}

// packages are the files that make directories packages of Python.
func packages(root fs.FS) (files []string) {
	for _, dir := range []string{".", "src"} {
		for _, e := range list(root, dir) {
			if file := path.Join(dir, e.Name(), "__init__.py"); e.IsDir() && exists(root, file) {
				files = append(files, file)
			}
		}
	}
	return files
}

// factory is a function of the usual name that makes an application.
var factory = pattern(`(?m)^(?:def\s+(create_app|make_app)\s*\(|from\s+\S+\s+import\s+[^#\n]*\b(create_app|make_app)\b)`)

// factoryIn returns how the factory in source is called, empty if there is none.
func factoryIn(source []byte) string {
	m := factory().FindSubmatch(source)
	if m == nil {
		return ""
	}
	return string(m[1]) + string(m[2]) + "()"
}

// findMeteor finds what "meteor build" makes.
func findMeteor(root fs.FS, _ bool) (*Detection, string) {
	if !exists(root, "main.js") || !exists(root, "star.json") {
		return nil, notThere
	}
	// Without it Meteor does not start; only links in mails depend on it.
	env := map[string]string{"ROOT_URL": "http://localhost"}
	return &Detection{StartupFile: "main.js", Env: env}, "a bundle of Meteor; set ROOT_URL in envvars to the app's own address"
}

// builds are what frameworks for Node.js build and want to be run.
var builds = []struct{ file, whose string }{
	{"build/index.js", "SvelteKit's"},
	{".output/server/index.mjs", "Nuxt's"},
	{"dist/main.js", "Nest's"},
	{"dist/src/main.js", "Nest's"},
	{"dist/server/entry.mjs", "Astro's"},
}

// compiled are what a compiler makes of an app in TypeScript.
var compiled = []string{"dist/index.js", "dist/server.js", "dist/app.js", "dist/src/index.js", "dist/src/server.js", "build/server.js", "build/src/index.js"}

// findBuilt finds the server that a framework built.
func findBuilt(root fs.FS, _ bool) (*Detection, string) {
	for _, b := range builds {
		if exists(root, b.file) {
			return &Detection{StartupFile: b.file, Env: svelteEnv(root)}, fmt.Sprintf("found %s, which is %s", b.file, b.whose)
		}
	}
	if !exists(root, "package.json") || exists(root, "dist/index.html") || exists(root, "build/index.html") {
		return nil, notThere // what is built is for browsers
	}
	for _, file := range compiled {
		if exists(root, file) {
			return &Detection{StartupFile: file}, "found " + file + ", which is built"
		}
	}
	return nil, notThere
}

// svelteEnv has a server that SvelteKit built believe the proxy, without which
// it refuses every form; nil for others.
func svelteEnv(root fs.FS) map[string]string {
	if !exists(root, "build/handler.js") {
		return nil
	}
	return map[string]string{"PROTOCOL_HEADER": "x-forwarded-proto", "HOST_HEADER": "x-forwarded-host", "ADDRESS_HEADER": "x-forwarded-for"}
}

// findProcfile takes the line for web processes as the start command.
func findProcfile(root fs.FS, _ bool) (*Detection, string) { return procfileLine(root, web) }

// likely are names that startup files have, without what tells their type.
var likely = []string{"server", "main", "index", "app", "api", "application", "wsgi", "asgi", "run", "start", "www", "web"}

// maxNearest is how many files a person is shown.
const maxNearest = 5

// nearest are files that startup_file may be meant to name.
func nearest(root fs.FS, kind string) (files []string) {
	for _, dir := range []string{".", "src", "app", "server", "web", "lib", "dist", "build", "bin", "backend", "api"} {
		for _, e := range list(root, dir) {
			file := path.Join(dir, e.Name())
			name := strings.TrimSuffix(e.Name(), path.Ext(file))
			is := typeOfFile(file)
			if is == "" || !slices.Contains(likely, name) && e.Name() != "config.ru" || !exists(root, file) {
				continue
			}
			if kind != "" && kind != is && !(isPython(kind) && isPython(is)) {
				continue
			}
			if files = append(files, file); len(files) == maxNearest {
				return files
			}
		}
	}
	return files
}

// maxEntries is how many entries of a directory are looked at.
const maxEntries = 1000

// list returns the first entries of a directory, in order of name.
func list(root fs.FS, dir string) []fs.DirEntry {
	f, err := root.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil
	}
	entries, _ := d.ReadDir(maxEntries) // what was read before an error is as good
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries
}
