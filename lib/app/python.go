package app

import (
	"errors"
	"fmt"
	"io/fs"
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
		return nil, fmt.Sprintf("a Django project with the settings %s, but no %s.py beside them", strings.Join(settings, "."), kind)
	}
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
		if name := callableIn(b); name != "" {
			return &Detection{StartupFile: file + ":" + name}, fmt.Sprintf("%s has %s", file, name)
		}
		without = append(without, file)
	}
	if without != nil {
		return nil, fmt.Sprintf("%s has neither application nor app at its top level", strings.Join(without, " or "))
	}
	return nil, result
}

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
