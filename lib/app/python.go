package app

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	// settingsModule is how manage.py names the settings: by setdefault or by
	// assignment.
	settingsModule = pattern(`DJANGO_SETTINGS_MODULE['"]\s*\]?\s*[,=]\s*['"]([A-Za-z0-9_.]+)['"]`)

	// callableSetting are the settings that name the callables of WSGI and
	// ASGI, as a dotted path.
	callableSetting = map[string]func() *regexp.Regexp{
		"wsgi": pattern(`(?m)^\s*WSGI_APPLICATION\s*=\s*['"]([A-Za-z0-9_.]+)\.([A-Za-z0-9_]+)['"]`),
		"asgi": pattern(`(?m)^\s*ASGI_APPLICATION\s*=\s*['"]([A-Za-z0-9_.]+)\.([A-Za-z0-9_]+)['"]`),
	}
)

// findDjango finds the module of a Django project for "wsgi" or "asgi": what its
// settings say, else a file of that name in a package that the settings are in.
func findDjango(kind string) func(fs.FS, bool) (*Detection, string) {
	return func(root fs.FS, _ bool) (*Detection, string) {
		settings, result := djangoSettings(root)
		if settings == nil {
			if d, found := djangoModule(root, kind); d != nil {
				return d, found
			}
			return nil, result
		}
		if d, result := djangoSetting(root, kind, settings); d != nil {
			return d, result
		}
		for n := len(settings) - 1; n > 0; n-- {
			module := filepath.Join(filepath.Join(settings[:n]...), kind+".py")
			if exists(root, module) {
				return &Detection{StartupFile: module + ":application"},
					fmt.Sprintf("a Django project; its %s module is %s", strings.ToUpper(kind), module)
			}
		}
		if d, found := djangoModule(root, kind); d != nil {
			return d, found
		}
		return nil, fmt.Sprintf("a Django project with the settings %s, but no %s.py beside them", strings.Join(settings, "."), kind)
	}
}

// djangoCommand is what a manage.py of Django runs.
var djangoCommand = pattern(`\bexecute_from_command_line\b|\bDJANGO_SETTINGS_MODULE\b`)

// djangoModule finds the one module in the project that gets the application
// from Django, where manage.py does not tell its settings, or they lie elsewhere.
func djangoModule(root fs.FS, kind string) (*Detection, string) {
	if b, err := fs.ReadFile(root, "manage.py"); err != nil || !djangoCommand().Match(b) {
		return nil, ""
	}
	found := ""
	for _, dir := range directories(root, 2) {
		file := path.Join(dir, kind+".py")
		b, err := fs.ReadFile(root, file)
		if err != nil || !bytes.Contains(b, []byte("get_"+kind+"_application")) {
			continue
		}
		if found != "" {
			return nil, ""
		}
		found = file
	}
	if found == "" {
		return nil, ""
	}
	return &Detection{StartupFile: found + ":application"}, fmt.Sprintf("a Django project; its %s module is %s", strings.ToUpper(kind), found)
}

// directories are those below root, at most so many levels, that a Python
// module's name could lead through.
func directories(root fs.FS, levels int) []string {
	all, last := []string{"."}, []string{"."}
	for range levels {
		var next []string
		for _, dir := range last {
			for _, e := range list(root, dir) {
				if e.IsDir() && isIdentifier(e.Name()) && !slices.Contains(notOurs, e.Name()) && len(all)+len(next) < maxDirectories {
					next = append(next, path.Join(dir, e.Name()))
				}
			}
		}
		all, last = append(all, next...), next
	}
	return all
}

// maxDirectories is how many directories are looked into.
const maxDirectories = 200

// notOurs are directories that hold what others wrote, or no app.
var notOurs = []string{"node_modules", "venv", "env", "virtualenv", "site_packages", "tests", "test", "docs", "static", "media", "migrations"}

func isIdentifier(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// findChannels finds the module of a Django project whose settings name one
// for ASGI. Django's own template does not: an author who adds it, for Channels,
// wants the project served by it.
func findChannels(root fs.FS, _ bool) (*Detection, string) {
	settings, result := djangoSettings(root)
	if settings == nil {
		return nil, result
	}
	if d, result := djangoSetting(root, "asgi", settings); d != nil {
		return d, result
	}
	return nil, "the project's settings have no ASGI_APPLICATION"
}

// djangoSettings is the path of the module that a project has its settings in,
// nil if there is no project, and why.
func djangoSettings(root fs.FS) (module []string, result string) {
	b, err := fs.ReadFile(root, "manage.py")
	if err != nil {
		return nil, unread("manage.py", err)
	}
	m := settingsModule().FindSubmatch(b)
	if m == nil {
		return nil, "it names no DJANGO_SETTINGS_MODULE"
	}
	return strings.Split(string(m[1]), "."), ""
}

// djangoSetting finds the module that the settings of a project name.
func djangoSetting(root fs.FS, kind string, settings []string) (*Detection, string) {
	for _, file := range settingsFiles(settings) {
		b, err := fs.ReadFile(root, file)
		if err != nil {
			continue
		}
		m := callableSetting[kind]().FindSubmatch(b)
		if m == nil {
			continue
		}
		if module := moduleFile(strings.Split(string(m[1]), ".")); exists(root, module) {
			return &Detection{StartupFile: module + ":" + string(m[2])},
				fmt.Sprintf("a Django project; %s_APPLICATION in %s is in %s", strings.ToUpper(kind), file, module)
		}
	}
	return nil, ""
}

// settingsFiles are where a settings module and what it usually imports lie.
func settingsFiles(module []string) []string {
	dir := filepath.Join(module...)
	return []string{
		dir + ".py",
		filepath.Join(dir, "__init__.py"),
		filepath.Join(filepath.Dir(dir), "base.py"),
		filepath.Join(dir, "base.py"),
	}
}

func moduleFile(module []string) string { return filepath.Join(module...) + ".py" }

// callable is a name bound at a module's top level by assignment, def, class
// or import.
var callable = pattern(`(?m)^(?:(application|app)\s*(?::[^=\n]+)?=[^=]|(?:async\s+def|def|class)\s+(application|app)\b|from\s+\S+\s+import\s+[^#\n]*\b(application|app)\b)`)

// asgiFramework is an import of a framework whose applications are ASGI's.
var asgiFramework = pattern(`(?m)^(?:from|import)\s+(fastapi|starlette|quart|litestar|blacksheep)\b`)

// wsgiFramework is an import of a framework whose applications are WSGI's.
var wsgiFramework = pattern(`(?m)^\s*(?:from|import)\s+(flask|bottle|django|dash|pyramid)\b`)

// rawASGI is an application of the usual name that is ASGI's by its arguments.
var rawASGI = pattern(`(?m)^async\s+def\s+(application|app)\s*\(\s*scope\b`)

// findASGI finds an ASGI callable: in a file that is named for it, or in one of
// the usual name that imports a framework for it.
func findASGI(root fs.FS, pinned bool) (*Detection, string) {
	result := notThere
	for _, file := range []string{"asgi.py", "main.py", "app.py"} {
		b, err := fs.ReadFile(root, file)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				result = unread(file, err)
			}
			continue
		}
		name := callableIn(b)
		framework := asgiFramework().FindSubmatch(b)
		switch {
		case name == "":
			result = fmt.Sprintf("%s has neither application nor app at its top level", file)
		case framework != nil:
			return &Detection{StartupFile: file + ":" + name}, fmt.Sprintf("%s has %s and imports %s", file, name, framework[1])
		case rawASGI().Match(b):
			return &Detection{StartupFile: file + ":" + name}, fmt.Sprintf("%s has %s, which takes scope, receive and send", file, name)
		case !wsgiFramework().Match(b) && needsASGI(root):
			return &Detection{StartupFile: file + ":" + name}, fmt.Sprintf("%s has %s, and the app lists a framework for ASGI", file, name)
		case file == "asgi.py" || pinned:
			return &Detection{StartupFile: file + ":" + name}, fmt.Sprintf("%s has %s", file, name)
		default:
			result = fmt.Sprintf("%s imports no ASGI framework", file)
		}
	}
	return nil, result
}

// findCallable finds a WSGI callable in a file of the usual name: Flask's.
func findCallable(root fs.FS, _ bool) (*Detection, string) {
	var without []string
	result := notThere
	for _, file := range []string{"wsgi.py", "app.py"} {
		b, err := fs.ReadFile(root, file)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				result = unread(file, err)
			}
			continue
		}
		name := callableIn(b)
		if dashServer().Match(b) {
			name = "server" // what Dash calls its app is not for a server
		}
		if name != "" {
			return &Detection{StartupFile: file + ":" + name}, fmt.Sprintf("%s has %s", file, name)
		}
		without = append(without, file)
	}
	if without != nil {
		return nil, fmt.Sprintf("%s has neither application nor app at its top level", strings.Join(without, " or "))
	}
	return nil, result
}

// dashServer is how an app of Dash gives away the application of Flask in it.
var dashServer = pattern(`(?m)^server\s*=\s*\w+\.server\b`)

// callableIn returns which of the usual names source binds, empty if none.
func callableIn(source []byte) string {
	var names []string
	for _, m := range callable().FindAllStringSubmatch(string(source), -1) {
		names = append(names, m[1]+m[2]+m[3])
	}
	for _, name := range []string{"application", "app"} {
		if slices.Contains(names, name) {
			return name
		}
	}
	return ""
}
