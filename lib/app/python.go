package app

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

var (
	// settingsModule is how manage.py names the settings: by setdefault or by
	// assignment.
	settingsModule = pattern(`DJANGO_SETTINGS_MODULE['"]\s*\]?\s*[,=]\s*['"]([A-Za-z0-9_.]+)['"]`)

	// wsgiSetting is the setting that names the callable, as a dotted path.
	wsgiSetting = pattern(`(?m)^\s*WSGI_APPLICATION\s*=\s*['"]([A-Za-z0-9_.]+)\.([A-Za-z0-9_]+)['"]`)
)

// findDjango finds the WSGI module of a Django project: what its settings say,
// else a wsgi.py in a package that the settings are in.
func findDjango(root fs.FS, _ bool) (*Detection, string) {
	b, err := fs.ReadFile(root, "manage.py")
	if err != nil {
		return nil, notThere
	}
	m := settingsModule().FindSubmatch(b)
	if m == nil {
		return nil, "it names no DJANGO_SETTINGS_MODULE"
	}
	settings := strings.Split(string(m[1]), ".")
	for _, file := range settingsFiles(settings) {
		b, err := fs.ReadFile(root, file)
		if err != nil {
			continue
		}
		if m := wsgiSetting().FindSubmatch(b); m != nil {
			module := moduleFile(strings.Split(string(m[1]), "."))
			if exists(root, module) {
				return &Detection{StartupFile: module + ":" + string(m[2])},
					fmt.Sprintf("a Django project; WSGI_APPLICATION in %s is in %s", file, module)
			}
		}
	}
	for n := len(settings) - 1; n > 0; n-- {
		module := filepath.Join(filepath.Join(settings[:n]...), "wsgi.py")
		if exists(root, module) {
			return &Detection{StartupFile: module + ":application"}, fmt.Sprintf("a Django project; its WSGI module is %s", module)
		}
	}
	return nil, fmt.Sprintf("a Django project with the settings %s, but no wsgi.py beside them", m[1])
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
var callable = pattern(`(?m)^(?:(application|app)\s*(?::[^=\n]+)?=[^=]|(?:def|class)\s+(application|app)\b|from\s+\S+\s+import\s+[^#\n]*\b(application|app)\b)`)

// findCallable finds a WSGI callable in a file of the usual name: Flask's.
func findCallable(root fs.FS, _ bool) (*Detection, string) {
	var without []string
	for _, file := range []string{"wsgi.py", "app.py"} {
		b, err := fs.ReadFile(root, file)
		if err != nil {
			continue
		}
		var names []string
		for _, m := range callable().FindAllStringSubmatch(string(b), -1) {
			names = append(names, m[1]+m[2]+m[3])
		}
		for _, name := range []string{"application", "app"} {
			if slices.Contains(names, name) {
				return &Detection{StartupFile: file + ":" + name}, fmt.Sprintf("%s has %s", file, name)
			}
		}
		without = append(without, file)
	}
	if without != nil {
		return nil, fmt.Sprintf("%s has neither application nor app at its top level", strings.Join(without, " or "))
	}
	return nil, notThere
}
