package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// A manifest is what we read of package.json.
type manifest struct {
	Main    string
	Exports json.RawMessage
	Scripts map[string]loose

	// What only a start script is told, and no reason to refuse the file.
	Name, Version  loose
	PackageManager loose
	Config         json.RawMessage
	DevEngines     json.RawMessage
}

// A loose is a string that is empty where there is another kind of value.
type loose string

func (l *loose) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*l = loose(text)
	}
	return nil
}

// plainNode is a start script that does nothing but run node on a file, which
// the adapter serves.
var plainNode = pattern(`^node\s+(?:\./)?([A-Za-z0-9_./-]+)$`)

// findPackage reads package.json: the start script, as npm does, else main.
func findPackage(root fs.FS, pinned bool) (*Detection, string) {
	p, result := readManifest(root)
	if result != "" {
		return nil, result
	}
	start := p.start(root)
	if m := plainNode().FindStringSubmatch(start); m != nil {
		name := m[1]
		if filepath.Clean(name) == "." && p.Main != "" {
			name = p.Main
		}
		if file, ok := nodeFile(root, name); ok {
			return &Detection{StartupFile: file, Env: svelteEnv(root)}, fmt.Sprintf("its start script is %q", start)
		}
	}
	for _, file := range []string{"dist/main.js", "dist/src/main.js"} {
		if start == nestStart && exists(root, file) {
			return &Detection{StartupFile: file}, "its start script is Nest's, and " + file + " is built"
		}
	}
	if start != "" && !pinned {
		return runScript(root, p), fmt.Sprintf("its start script is %q, which has to listen on $PORT", start)
	}
	if p.Main != "" {
		if file, ok := nodeFile(root, p.Main); ok {
			return &Detection{StartupFile: file}, fmt.Sprintf("its main is %q", p.Main)
		}
		return nil, fmt.Sprintf("its main %q does not exist%s", p.Main, p.unbuilt())
	}
	if name := p.exported(); name != "" {
		if file, ok := nodeFile(root, name); ok {
			return &Detection{StartupFile: file}, fmt.Sprintf("its exports name %q", name)
		}
	}
	for _, file := range []string{"index.js", "server.js", "index.mjs", "server.mjs", "index.cjs", "server.cjs"} { // what node and npm do without
		if exists(root, file) {
			return &Detection{StartupFile: file}, "it has neither a start script nor a main, and there is " + file
		}
	}
	return nil, "it has neither a start script nor a main"
}

// readManifest reads package.json. result says why there is none, if so.
func readManifest(root fs.FS) (p manifest, result string) {
	b, err := fs.ReadFile(root, "package.json")
	if err != nil {
		return p, unread("package.json", err)
	}
	b = bytes.TrimPrefix(b, []byte(byteOrderMark)) // as npm does
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Sprintf("not as npm knows it: %v", notSettings(b, err))
	}
	return p, ""
}

// nestStart is Nest's start script, which builds the app, and then runs it.
const nestStart = "nest start"

// start is the text of the start script; where that builds first, of the one
// that Nest makes for production, if it is plain and what it runs is there.
func (p manifest) start(root fs.FS) string {
	start := p.script("start", 0)
	if start != nestStart {
		return start
	}
	production := p.script("start:prod", 0)
	if m := plainNode().FindStringSubmatch(production); m != nil {
		if _, ok := nodeFile(root, m[1]); ok {
			return production
		}
	}
	return start
}

// unbuilt is what to add where a file is missing that a script would build.
func (p manifest) unbuilt() string {
	if p.Scripts["build"] == "" {
		return ""
	}
	return "; its build script may have to run first"
}

// exported is what exports name for the package itself, empty if nothing.
func (p manifest) exported() string { return exportIn(p.Exports, 0) }

// exportIn looks into exports, as Node.js does: a file, one by conditions, or
// those by what is imported, of which "." is the package.
func exportIn(exports json.RawMessage, depth int) string {
	var name string
	if json.Unmarshal(exports, &name) == nil {
		return name
	}
	var by map[string]json.RawMessage
	if depth > 3 || json.Unmarshal(exports, &by) != nil {
		return ""
	}
	for _, key := range []string{".", "node", "import", "require", "default"} {
		if name := exportIn(by[key], depth+1); name != "" {
			return name
		}
	}
	return ""
}

// listens is a call of that name, which an app.js that serves has.
var listens = pattern(`\blisten\b`)

// findAppJS finds Passenger's own startup file, unless it is only a part of the
// app that the start script runs, as Express's generator and Fastify's have it.
func findAppJS(root fs.FS, pinned bool) (*Detection, string) {
	d, result := fileNamed("app.js", "app.mjs", "app.cjs")(root, pinned)
	if d == nil {
		return nil, result
	}
	if b, err := fs.ReadFile(root, d.StartupFile); err != nil || len(b) == 0 || listens().Match(b) {
		return d, result
	}
	p, _ := readManifest(root)
	start := p.start(root)
	if m := plainNode().FindStringSubmatch(start); m != nil {
		if file, ok := nodeFile(root, m[1]); ok && file != d.StartupFile {
			return &Detection{StartupFile: file}, fmt.Sprintf("%s calls no listen, and the start script is %q", d.StartupFile, start)
		}
	}
	if strings.HasPrefix(start, "fastify start ") && !pinned {
		return runScript(root, p), fmt.Sprintf("%s calls no listen, and the start script is %q", d.StartupFile, start)
	}
	return d, result
}

// nodeFile finds the file that node would run for name.
func nodeFile(root fs.FS, name string) (string, bool) {
	if !filepath.IsLocal(filepath.Clean(name)) {
		return "", false
	}
	for _, file := range []string{name, name + ".js", name + ".cjs", name + ".mjs", filepath.Join(name, "index.js")} {
		if exists(root, file) {
			return filepath.Clean(file), true
		}
	}
	return "", false
}
