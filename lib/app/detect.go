package app

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

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

	// Env is what the app is told in its environment, because of what it is.
	Env map[string]string `json:"env,omitempty"`

	// Unset are variables that it is not told, since it sets them itself.
	Unset []string `json:"unset,omitempty"`

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
	Type    string // what the settings say it is, empty if they do not
	Empty   bool
	Looked  []Look
	Nearest []string // files that startup_file may be meant to name
	Inside  string   // the directory below that seems to be an app's
}

func (e *UnknownError) Error() string {
	var looked []string
	for _, l := range e.Looked {
		if l.Result == notThere {
			looked = append(looked, l.For)
		} else {
			looked = append(looked, l.For+": "+l.Result)
		}
	}
	what := "app directory %q holds no app of a known type"
	switch {
	case e.Empty:
		what = "app directory %q is empty"
	case e.Type != "":
		what = "app directory %q holds no app of type " + e.Type
	}
	text := fmt.Sprintf(what+"; looked for %s", e.AppRoot, strings.Join(looked, ", "))
	if len(e.Nearest) > 0 {
		text += "; startup_file may be meant to name " + strings.Join(e.Nearest, " or ")
	}
	if e.Inside != "" {
		text += fmt.Sprintf("; the directory %q in it seems to be an app's", e.Inside)
	}
	return text
}

// A convention is one way to recognise an app.
type convention struct {
	is       string
	looksFor string

	// find returns nil if there is no such app in root. pinned says that the
	// settings name the type, so that find may not answer another.
	find func(root fs.FS, pinned bool) (found *Detection, result string)
}

// conventions in the order in which they are tried: Passenger's own first,
// then those of frameworks. A Django project comes before package.json, which
// it may have for its assets; a lone app.py comes after, for the same reason.
// Django makes both a wsgi.py and an asgi.py, of which the first is used unless
// the settings name the second.
var conventions = []convention{
	{protocol.TypeRack, "config.ru", fileNamed("config.ru")},
	{protocol.TypeWSGI, "passenger_wsgi.py", fileNamed("passenger_wsgi.py")},
	{protocol.TypeASGI, "passenger_asgi.py", fileNamed("passenger_asgi.py")},
	{protocol.TypeNode, "app.js", findAppJS},
	{protocol.TypeASGI, "manage.py with ASGI_APPLICATION", findChannels},
	{protocol.TypeWSGI, "manage.py", findDjango("wsgi")},
	{protocol.TypeASGI, "manage.py with asgi.py", findDjango("asgi")},
	{protocol.TypeNode, "package.json", findPackage},
	{protocol.TypeASGI, "asgi.py, main.py or app.py with an ASGI application", findASGI},
	{protocol.TypeWSGI, "wsgi.py or app.py with application or app", findCallable},
	{protocol.TypeNode, "main.js with star.json", findMeteor},
	{protocol.TypeNode, "build/index.js, .output/server/index.mjs or dist/main.js", findBuilt},
	{protocol.TypeASGI, "api.py, app/main.py or a factory of FastAPI", findFastAPI},
	{protocol.TypeWSGI, "Flask's main.py, package or factory", findFlask},
	{protocol.TypeGeneric, "Procfile", findProcfile},
	{protocol.TypeASGI, "another file with an application of FastAPI", findElsewhere(asgiElsewhere)},
	{protocol.TypeWSGI, "another file with an application of Flask", findElsewhere(flaskElsewhere)},
	{protocol.TypeNode, "server.js or index.js", fileNamed("server.js", "index.js", "server.mjs", "index.mjs")},
}

// notThere is the result of a look at a file that does not exist.
const notThere = "not there"

// Detect finds out what the app is. Settings come first: app_start_command,
// then app_type and startup_file; what they leave open is looked for in the
// directory. It reads the beginning of regular files but runs nothing; if it is confined, no symlink
// leads it out of the directory. A directory without a known app is an
// *UnknownError.
func Detect(c protocol.AppConfig, confined bool) (Detection, error) {
	return DetectAt(c, c.AppRoot, confined)
}

// DetectAt is Detect for an app's directory that is open: at is a path to it by
// its descriptor, below /proc/self/fd, which leads to no other whatever becomes
// of its name.
func DetectAt(c protocol.AppConfig, at string, confined bool) (Detection, error) {
	root, err := openDirectory(at, confined)
	if err != nil {
		return Detection{}, fmt.Errorf("app directory %q: %w", c.AppRoot, unwrapPath(err))
	}
	defer root.close()
	empty, err := root.empty()
	if err != nil {
		return Detection{}, fmt.Errorf("app directory %q: %w", c.AppRoot, unwrapPath(err))
	}
	if c.StartCommand != "" {
		return Detection{
			Type: protocol.TypeGeneric, StartCommand: c.StartCommand, Why: "app_start_command is set",
			Looked: []Look{{For: "app_start_command", Found: true, Result: c.StartCommand}},
		}, nil
	}
	if c.StartupFile != "" {
		return startupFile(c, root)
	}
	var looked []Look
	for _, convention := range conventions {
		if c.Type != "" && c.Type != convention.is {
			continue
		}
		d, result := convention.find(root, c.Type != "")
		looked = append(looked, Look{For: convention.looksFor, Found: d != nil, Result: result})
		if d == nil {
			continue
		}
		d.Looked = looked
		d.Why = convention.looksFor + ": " + result
		if d.Type == "" {
			d.Type = convention.is
		}
		return *d, nil
	}
	return Detection{}, &UnknownError{AppRoot: c.AppRoot, Type: c.Type, Empty: empty, Looked: looked, Nearest: nearest(root, c.Type), Inside: inside(root)}
}

// typeOf are the types that a startup file's extension tells.
var typeOf = map[string]string{
	".ru": protocol.TypeRack, ".py": protocol.TypeWSGI,
	".js": protocol.TypeNode, ".mjs": protocol.TypeNode, ".cjs": protocol.TypeNode,
}

func typeOfFile(file string) string {
	switch filepath.Base(file) {
	case "passenger_asgi.py", "asgi.py":
		return protocol.TypeASGI
	}
	return typeOf[filepath.Ext(file)]
}

func isPython(kind string) bool { return kind == protocol.TypeWSGI || kind == protocol.TypeASGI }

// startupFile is for settings that name the startup file, and perhaps the
// type.
func startupFile(c protocol.AppConfig, root fs.FS) (Detection, error) {
	d := Detection{Type: c.Type, StartupFile: c.StartupFile, Why: "app_type and startup_file are set"}
	file, _, _ := strings.Cut(c.StartupFile, ":")
	if d.Type == "" {
		d.Type, d.Why = typeOfFile(file), "startup_file is set, and its name tells the type"
	}
	if d.Type == "" {
		return Detection{}, fmt.Errorf("startup_file %q does not tell the type of the app; set app_type too", c.StartupFile)
	}
	dotted := filepath.Join(strings.Split(file, ".")...) // a Python module's name
	if !exists(root, file) && (!isPython(d.Type) || !exists(root, dotted+".py") && !exists(root, filepath.Join(dotted, "__init__.py"))) {
		err := fmt.Errorf("startup_file %q does not exist in %q", c.StartupFile, c.AppRoot)
		if near := nearest(root, d.Type); len(near) > 0 {
			err = fmt.Errorf("%w; there is %s", err, strings.Join(near, ", "))
		}
		return Detection{}, err
	}
	d.Looked = []Look{{For: "startup_file", Found: true, Result: c.StartupFile}}
	return d, nil
}

// pattern compiles an expression when it is first used: most programs that
// import this package never look into a file.
func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

func fileNamed(names ...string) func(fs.FS, bool) (*Detection, string) {
	return func(root fs.FS, _ bool) (*Detection, string) {
		for _, name := range names {
			if exists(root, name) {
				return &Detection{StartupFile: name}, "found " + name
			}
		}
		return nil, notThere
	}
}

// unread says why there is nothing to be read of a file.
func unread(file string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return notThere
	}
	if why := unwrapPath(err); why != err {
		return fmt.Sprintf("%s is not readable: %v", file, why)
	}
	return err.Error()
}

func exists(root fs.FS, name string) bool {
	fi, err := fs.Stat(root, filepath.Clean(name))
	return err == nil && fi.Mode().IsRegular()
}
