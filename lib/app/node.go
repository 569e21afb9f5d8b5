package app

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
)

// A manifest is what we read of package.json.
type manifest struct {
	Main    string
	Scripts map[string]loose

	// What only a start script is told, and no reason to refuse the file.
	Name, Version  loose
	PackageManager loose
	Config         json.RawMessage
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
	b, err := fs.ReadFile(root, "package.json")
	if err != nil {
		return nil, unread("package.json", err)
	}
	var p manifest
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Sprintf("not as npm knows it: %v", notSettings(b, err))
	}
	start := p.script("start", 0)
	if m := plainNode().FindStringSubmatch(start); m != nil {
		name := m[1]
		if filepath.Clean(name) == "." && p.Main != "" {
			name = p.Main
		}
		if file, ok := nodeFile(root, name); ok {
			return &Detection{StartupFile: file, Env: svelteEnv(root)}, fmt.Sprintf("its start script is %q", start)
		}
	}
	if start == "nest start" && exists(root, "dist/main.js") { // which builds, and then runs it
		return &Detection{StartupFile: "dist/main.js"}, "its start script is Nest's, and dist/main.js is built"
	}
	if start != "" && !pinned {
		return runScript(root, p), fmt.Sprintf("its start script is %q, which has to listen on $PORT", start)
	}
	if p.Main != "" {
		if file, ok := nodeFile(root, p.Main); ok {
			return &Detection{StartupFile: file}, fmt.Sprintf("its main is %q", p.Main)
		}
		return nil, fmt.Sprintf("its main %q does not exist", p.Main)
	}
	for _, file := range []string{"index.js", "server.js"} { // what node and npm do without
		if exists(root, file) {
			return &Detection{StartupFile: file}, "it has neither a start script nor a main, and there is " + file
		}
	}
	return nil, "it has neither a start script nor a main"
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
