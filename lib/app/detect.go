package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"passenger/lib/protocol"
)

// A Detection is what an app was found to be.
type Detection struct {
	Type string `json:"app_type"`

	// StartupFile is relative to the app root. For WSGI it may name the
	// callable: "app.py:app". Empty for a generic app.
	StartupFile string `json:"startup_file,omitempty"`

	// StartCommand is set for a generic app.
	StartCommand string `json:"app_start_command,omitempty"`

	// Why names what decided, one sentence.
	Why string `json:"why"`

	// Looked is what was looked for, in order, up to what was found.
	Looked []Look `json:"looked_for"`
}

// A Look is one thing that was looked for.
type Look struct {
	For    string `json:"for"`
	Found  bool   `json:"found"`
	Result string `json:"result"`
}

// An UnknownError says that a directory holds no app of a known kind.
type UnknownError struct {
	AppRoot string
	Empty   bool
	Looked  []Look
}

func (e *UnknownError) Error() string {
	if e.Empty {
		return fmt.Sprintf("app directory %q is empty", e.AppRoot)
	}
	var names []string
	for _, l := range e.Looked {
		names = append(names, l.For)
	}
	return fmt.Sprintf("app directory %q holds no app of a known type (looked for %s)", e.AppRoot, strings.Join(names, ", "))
}

// Detect finds out what the app is. Settings come first: app_start_command,
// then app_type and startup_file; what they leave open is looked for in the
// directory. It reads files but runs nothing.
func Detect(c protocol.AppConfig) (Detection, error) {
	if c.StartCommand != "" {
		return Detection{
			Type: protocol.TypeGeneric, StartCommand: c.StartCommand, Why: "app_start_command is set",
			Looked: []Look{{For: "app_start_command", Found: true, Result: c.StartCommand}},
		}, nil
	}
	entries, err := os.ReadDir(c.AppRoot)
	if err != nil {
		return Detection{}, fmt.Errorf("app directory %q: %w", c.AppRoot, unwrapPath(err))
	}
	if c.Type != "" && c.StartupFile != "" {
		return configured(c)
	}
	var looked []Look
	for _, convention := range conventions {
		if c.Type != "" && c.Type != convention.is {
			continue
		}
		d, result := convention.find(c.AppRoot)
		look := Look{For: convention.looksFor, Found: d != nil, Result: result}
		looked = append(looked, look)
		if d == nil {
			continue
		}
		d.Looked = looked
		d.Why = convention.looksFor + ": " + result
		if d.Type == "" {
			d.Type = convention.is
		}
		if c.StartupFile != "" {
			d.StartupFile = c.StartupFile
		}
		return *d, nil
	}
	return Detection{}, &UnknownError{AppRoot: c.AppRoot, Empty: len(entries) == 0, Looked: looked}
}

func configured(c protocol.AppConfig) (Detection, error) {
	file, _, _ := strings.Cut(c.StartupFile, ":")
	dotted := filepath.Join(strings.Split(file, ".")...) + ".py" // a Python module's name
	if !exists(c.AppRoot, file) && (c.Type != protocol.TypeWSGI || !exists(c.AppRoot, dotted)) {
		return Detection{}, fmt.Errorf("startup_file %q does not exist in %q", c.StartupFile, c.AppRoot)
	}
	return Detection{
		Type: c.Type, StartupFile: c.StartupFile, Why: "app_type and startup_file are set",
		Looked: []Look{{For: "startup_file", Found: true, Result: c.StartupFile}},
	}, nil
}

// A convention is one way to recognise an app.
type convention struct {
	is       string
	looksFor string
	find     func(root string) (found *Detection, result string)
}

// conventions in the order in which they are tried: Passenger's own first,
// then those of frameworks.
var conventions = []convention{
	{protocol.TypeRack, "config.ru", fileNamed("config.ru")},
	{protocol.TypeWSGI, "passenger_wsgi.py", fileNamed("passenger_wsgi.py")},
	{protocol.TypeNode, "app.js", fileNamed("app.js", "app.mjs", "app.cjs")},
	{protocol.TypeNode, "package.json", findPackage},
	{protocol.TypeWSGI, "manage.py", findDjango},
	{protocol.TypeWSGI, "wsgi.py or app.py with app or application", findCallable},
}

func fileNamed(names ...string) func(string) (*Detection, string) {
	return func(root string) (*Detection, string) {
		for _, name := range names {
			if exists(root, name) {
				return &Detection{StartupFile: name}, "found " + name
			}
		}
		return nil, "not there"
	}
}

// plainNode is a start script that does nothing but run node on a file: we
// run that ourselves, so that the process is node and not npm.
var plainNode = regexp.MustCompile(`^node\s+(?:\./)?([A-Za-z0-9_./-]+)$`)

func findPackage(root string) (*Detection, string) {
	b, err := os.ReadFile(filepath.Join(root, "package.json"))
	if err != nil {
		return nil, "not there"
	}
	var p struct {
		Main    string
		Scripts struct{ Start string }
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Sprintf("not readable: %v", err)
	}
	start := strings.TrimSpace(p.Scripts.Start)
	if m := plainNode.FindStringSubmatch(start); m != nil && exists(root, m[1]) {
		return &Detection{StartupFile: m[1]}, fmt.Sprintf("its start script is %q", start)
	}
	if start != "" {
		return &Detection{Type: protocol.TypeGeneric, StartCommand: "npm start --silent"},
			fmt.Sprintf("its start script is %q, which is run by npm and has to listen on $PORT", start)
	}
	for _, main := range []string{p.Main, p.Main + ".js", filepath.Join(p.Main, "index.js"), "server.js"} {
		if main != "" && exists(root, main) {
			return &Detection{StartupFile: filepath.Clean(main)}, fmt.Sprintf("its main is %q", p.Main)
		}
	}
	return nil, "it has neither a start script nor a main that exists"
}

var settingsModule = regexp.MustCompile(`DJANGO_SETTINGS_MODULE['"]\s*,\s*['"]([A-Za-z0-9_.]+)\.settings[A-Za-z0-9_.]*['"]`)

func findDjango(root string) (*Detection, string) {
	b, err := os.ReadFile(filepath.Join(root, "manage.py"))
	if err != nil {
		return nil, "not there"
	}
	m := settingsModule.FindSubmatch(b)
	if m == nil {
		return nil, "it names no DJANGO_SETTINGS_MODULE"
	}
	file := filepath.Join(append(strings.Split(string(m[1]), "."), "wsgi.py")...)
	if !exists(root, file) {
		return nil, fmt.Sprintf("%s does not exist", file)
	}
	return &Detection{StartupFile: file + ":application"}, fmt.Sprintf("a Django project; its WSGI module is %s", file)
}

var callable = regexp.MustCompile(`(?m)^(?:(application|app)\s*(?::[^=\n]+)?=[^=]|(?:async\s+)?def\s+(application|app)\b|from\s+\S+\s+import\s+.*\b(application|app)\b)`)

func findCallable(root string) (*Detection, string) {
	for _, file := range []string{"wsgi.py", "app.py"} {
		b, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			continue
		}
		var names []string
		for _, m := range callable.FindAllStringSubmatch(string(b), -1) {
			names = append(names, m[1]+m[2]+m[3])
		}
		for _, name := range []string{"application", "app"} {
			if slices.Contains(names, name) {
				return &Detection{StartupFile: file + ":" + name}, fmt.Sprintf("%s has %s", file, name)
			}
		}
		return nil, fmt.Sprintf("%s has neither app nor application at its top level", file)
	}
	return nil, "not there"
}

func exists(root, name string) bool {
	fi, err := os.Stat(filepath.Join(root, name))
	return err == nil && fi.Mode().IsRegular()
}
