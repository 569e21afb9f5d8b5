package app

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"passenger/lib/protocol"
)

// A package manager that runs a start script stays beside the app, with more
// memory than many an app has, and keeps SIGTERM from it. So its scripts are
// run here, as it would: with node_modules/.bin in PATH and the variables that
// programs read.

// pathOfScripts is an assignment, for env(1), of the PATH that scripts have.
const pathOfScripts = `"PATH=$PWD/node_modules/.bin:$PATH"`

// scriptVariable holds the script that inShell runs.
const scriptVariable = "PASSENGER_START_SCRIPT"

// inShell runs a script that needs a shell to go on. SIGTERM to the shell goes
// to the whole group; the shells in it stay until the programs that they run
// have ended.
const inShell = `sh -c '(trap : TERM; eval "$` + scriptVariable + `"; s=$?; wait; exit $s) & p=$!; ` +
	`trap "trap : TERM; kill -TERM 0" TERM; wait $p; s=$?; ` +
	`while kill -0 $p 2>/dev/null; do wait $p; s=$?; done; exit $s'`

// shellWords are commands that only a shell knows.
var shellWords = []string{
	".", ":", "!", "[[", "{", "case", "cd", "eval", "exec", "exit", "export", "for", "function", "if", "read", "set", "source",
	"trap", "ulimit", "umask", "unset", "until", "wait", "while",
}

// runScript is how a start script of package.json is run.
func runScript(root fs.FS, p manifest) *Detection {
	start := p.start(root)
	d := &Detection{Type: protocol.TypeGeneric, Env: p.variables(root, start)}
	start = d.fit(start)
	script := asEnv(start)
	switch before := strings.TrimSpace(string(p.Scripts["prestart"])); {
	case exists(root, ".pnp.cjs"): // Yarn keeps the packages in archives, and only it knows their programs
		d.Env[scriptVariable] = "yarn run start"
		d.StartCommand = inShell
	case !isCommand(start):
		d.Env[scriptVariable] = start
		if before != "" {
			d.Env[scriptVariable] = fmt.Sprintf("(\n%s\n) && {\n%s\n}", before, start)
		}
		d.StartCommand = "env " + pathOfScripts + " " + inShell
	case before != "":
		d.StartCommand = "env " + pathOfScripts + " sh -c " + quote("(\n"+before+"\n) && exec env "+script)
	default:
		d.StartCommand = "env " + pathOfScripts + " " + script
	}
	return d
}

// ownServer is a script that runs a framework's own server, last.
var ownServer = pattern(`(?:^|[\s;&|(])(next|nuxt|nuxi|react-router-serve|remix-serve)(\s[^;&|()]*)?$`)

// fit has a framework's server listen on loopback alone, as apps ought to, and
// leaves NODE_ENV to it: each chooses what its command is for. Other servers do
// not take HOST and HOSTNAME for that; the second is the machine's name elsewhere.
// It returns the script.
func (d *Detection) fit(script string) string {
	m := ownServer().FindStringSubmatch(script)
	if m == nil {
		return script
	}
	d.Unset = []string{"NODE_ENV"}
	if m[1] != "next" {
		d.Env["HOST"] = loopback
		return script
	}
	d.Env["HOSTNAME"] = loopback // what it calls may read it
	if words := strings.Fields(m[2]); len(words) > 0 && words[0] == "start" && !slices.ContainsFunc(words, namesHost) {
		return script + " --hostname " + loopback // which it takes from no variable
	}
	return script
}

const loopback = "127.0.0.1"

// namesHost says that a word of a command line of Next's is its flag for that.
func namesHost(word string) bool {
	return strings.HasPrefix(word, "-H") || strings.HasPrefix(word, "--hostname")
}

// callsScript is a script that only has a package manager run another.
var callsScript = pattern(`^(?:(?:npm|pnpm|yarn|bun)\s+run(?:-script)?|yarn|pnpm)\s+([A-Za-z0-9:_.-]+)$`)

// maxCalls is how many scripts may lead to one another.
const maxCalls = 8

// script returns the text of a script, or of the one that it leads to.
func (p manifest) script(name string, calls int) string {
	text := strings.TrimSpace(string(p.Scripts[name]))
	m := callsScript().FindStringSubmatch(text)
	if m == nil || calls == maxCalls || p.Scripts[m[1]] == "" || p.Scripts["pre"+m[1]] != "" {
		return text
	}
	return p.script(m[1], calls+1)
}

// asEnv leaves a script's cross-env, which would stay beside the program, to
// env(1), whose arguments are the same.
func asEnv(script string) string {
	rest, _ := strings.CutPrefix(script, "cross-env ")
	return strings.TrimSpace(rest)
}

// isCommand says whether a script is one program with its arguments, so that no
// shell has to stay for it.
func isCommand(script string) bool {
	words, plain := shellSplit(script)
	for len(words) > 0 && isAssignment(words[0]) {
		words = words[1:]
	}
	return plain && len(words) > 0 && !slices.Contains(shellWords, words[0])
}

// CommandOf is a line of a shell as a start command, with the environment variables
// that it needs then: none, but for a line that only a shell can run.
func CommandOf(line string) (command string, env map[string]string) {
	if !isCommand(line) {
		return inShell, map[string]string{scriptVariable: line}
	}
	if words, _ := shellSplit(line); isAssignment(words[0]) {
		return "env " + line, nil
	}
	return line, nil
}

func isAssignment(word string) bool {
	name, _, ok := strings.Cut(word, "=")
	return ok && name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) && (name[0] < '0' || name[0] > '9')
}

// shellSplit splits a script at blanks that are not quoted, and says whether it
// is plain: complete, and without the operators between commands. Quotes stay.
func shellSplit(script string) (words []string, plain bool) {
	var word strings.Builder
	quote, escaped := rune(0), false
	for _, r := range script {
		switch {
		case escaped:
			escaped = false
		case quote != 0:
			escaped = r == '\\' && quote == '"'
			if r == quote {
				quote = 0
			}
		case r == '\\':
			escaped = true
		case r == '\'' || r == '"' || r == '`':
			quote = r
		case strings.ContainsRune(";&|()\n", r):
			return nil, false
		case r == ' ' || r == '\t':
			if word.Len() > 0 {
				words = append(words, word.String())
				word.Reset()
			}
			continue
		}
		word.WriteRune(r)
	}
	if word.Len() > 0 {
		words = append(words, word.String())
	}
	return words, quote == 0 && !escaped
}

// quote makes one word of a text, for a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// variables are what npm tells a script.
func (p manifest) variables(root fs.FS, script string) map[string]string {
	env := map[string]string{
		"npm_lifecycle_event": "start", "npm_lifecycle_script": script, "npm_command": "start",
		"npm_package_name": string(p.Name), "npm_package_version": string(p.Version),
	}
	if manager := p.manager(root); manager != "" {
		env["npm_config_user_agent"] = manager + "/0.0.0 npm/? passenger"
	}
	var config map[string]json.RawMessage
	_ = json.Unmarshal(p.Config, &config) // what is no object tells nothing
	for key, value := range config {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value) // a number or true
		}
		if isAssignment(key+"=") && !strings.ContainsRune(text, 0) {
			env["npm_package_config_"+key] = text
		}
	}
	return env
}

// manager is the package manager of the app, by what it keeps.
func (p manifest) manager(root fs.FS) string {
	if name, _, ok := strings.Cut(string(p.PackageManager), "@"); ok {
		return name
	}
	var engines struct {
		PackageManager struct{ Name loose }
	}
	if json.Unmarshal(p.DevEngines, &engines) == nil && engines.PackageManager.Name != "" {
		return string(engines.PackageManager.Name)
	}
	for _, m := range []struct{ file, name string }{
		{"pnpm-lock.yaml", "pnpm"}, {"yarn.lock", "yarn"}, {"bun.lock", "bun"}, {"bun.lockb", "bun"},
	} {
		if exists(root, m.file) {
			return m.name
		}
	}
	return "npm"
}
