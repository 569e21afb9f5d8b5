package diagnosis

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"passenger/lib/protocol"
)

// A sign is something that an app writes before it exits, and what it means.
// Submatches of the pattern fill the verbs of the summary.
type sign struct {
	pattern  *regexp.Regexp
	category protocol.Category
	summary  string
	advice   string
}

// A knownSign is a sign as it is written down. In the pattern ^ and $ are the
// ends of a line.
type knownSign struct {
	pattern  string
	category protocol.Category
	summary  string
	advice   string
}

const (
	bundleInstall = "run \"bundle install\" in the app's directory, as the app's user"
	npmInstall    = "run \"npm ci\" (or \"npm install\") in the app's directory"
	pipInstall    = "install it into the app's virtualenv, and start the app with that one's interpreter"
	correctIt     = "correct it; what the app wrote last is below"
	usePort       = "let the app listen on $PORT instead of a port of its own"
	lookAtMode    = "check the owner and mode of that path and of its parents"
)

// signs are compiled when they are first needed: this program is also the
// process at a gate, which never needs them.
var signs = sync.OnceValue(func() []sign {
	all := make([]sign, len(known))
	for i, k := range known {
		all[i] = sign{regexp.MustCompile("(?m)" + k.pattern), k.category, k.summary, k.advice}
	}
	return all
})

// known are the signs in the order in which they are looked for; the first that is found
// decides. Adapters name their apps' errors themselves; these are for what
// happens before an adapter runs, and for generic commands.
var known = []knownSign{
	// Shells: app_start_command itself, and what a start script runs.
	{`^(?:/bin/)?(?:ba|da)?sh: (?:line )?\d+: exec: (\S+): not found`, protocol.CategoryInterpreter,
		"the command %q does not exist", "install it, or correct app_start_command"},
	{`^(?:/bin/)?(?:ba|da)?sh: (?:line )?\d+: (?:exec: )?(\S+): (?:c|C)annot execute|^(?:/bin/)?(?:ba|da)?sh: (?:line )?\d+: exec: (\S+): Permission denied`, protocol.CategoryPermission,
		"the command %q may not be executed", "make it executable (chmod +x), and look at its first line"},
	{`^(?:/bin/)?(?:ba|da)?sh: (?:line )?\d+: (?:Syntax error: |syntax error:? )(.*)`, protocol.CategoryConfig,
		"app_start_command is not shell: %s", "correct app_start_command"},
	{`^(?:/bin/)?(?:ba|da)?sh: (?:line )?\d+: (?:eval: )?(pnpm|yarn|bun): (?:command )?not found|^(?:/usr/bin/)?env: (?:can't execute )?['‘]?(pnpm|yarn|bun)['’]?: No such file or directory`, protocol.CategoryInterpreter,
		"the command %q does not exist", "install that package manager where the app's user finds it (\"corepack enable\", or npm install --global), or have the start script run the server itself"},
	{`^(?:/bin/)?(?:ba|da)?sh: (?:line )?\d+: (?:eval: )?(\S+): (?:command )?not found`, protocol.CategoryInterpreter,
		"the command %q does not exist", "install it; one of a package needs that package's installation (npm ci, bundle install, a virtualenv)"},
	{"^(?:/usr/bin/)?env: (?:can't execute )?['‘`]?([^'’:\\s]+)['’]?: No such file or directory", protocol.CategoryInterpreter,
		"the command %q does not exist", "install it; one of a package needs that package's installation (npm ci, bundle install, a virtualenv)"},

	// Dependencies.
	{`Could not find gem '([^']+)'`, protocol.CategoryDependency, "gem %s is missing", bundleInstall},
	{`Could not find (\S+-\d\S*?),? (?:.*,)? ?in (?:any of the sources|locally installed gems)`, protocol.CategoryDependency, "gem %s is missing", bundleInstall},
	{`^bundler: command not found: (\S+)`, protocol.CategoryDependency, "gem for the command %q is missing", "add it to the Gemfile and " + bundleInstall},
	{`cannot load such file -- (\S+)`, protocol.CategoryDependency,
		"Ruby cannot load %q", "add the gem to the Gemfile and run \"bundle install\", or correct the require"},
	{`(?:ModuleNotFoundError|ImportError): No module named '?([\w.]+)'?|: No module named ([\w.]+)$`, protocol.CategoryDependency,
		"Python module %q is missing", pipInstall},
	{`Error: Cannot find module '([^']+)'`, protocol.CategoryDependency, "Node.js module %q is missing", npmInstall},
	{`Error \[ERR_MODULE_NOT_FOUND\]: Cannot find package '([^']+)'`, protocol.CategoryDependency, "Node.js package %q is missing", npmInstall},

	// Ports, before permissions: both may say EACCES.
	{`listen EADDRINUSE.*?:(\d+)$|EADDRINUSE.*?:(\d+)\b|listen tcp \S*:(\d+): bind: address already in use|(?i:address already in use).* port (\d+)`,
		protocol.CategoryPort, "its port %s is taken", usePort},
	{`(?i:address already in use)`, protocol.CategoryPort, "a port that it wants is taken", usePort},
	{`listen EACCES: permission denied \S*?:?(\d+)$|listen tcp \S*:(\d+): bind: permission denied`, protocol.CategoryPermission,
		"it may not listen on port %s", usePort},

	// Code that does not parse: Ruby, Python, Node.js.
	{`^(\S+\.(?:rb|ru):\d+): syntax errors? `, protocol.CategorySyntax, "syntax error at %s", correctIt},
	{`^(\S+\.(?:rb|ru):\d+): syntax error, `, protocol.CategorySyntax, "syntax error at %s", correctIt},
	{`^  File "([^"]+)", line (\d+)\n(?:.*\n){0,4}?(?:SyntaxError|IndentationError|TabError): (.*)`, protocol.CategorySyntax,
		"syntax error in %s, line %s: %s", correctIt},
	{`^(?:file://)?(/\S+?):(\d+)\n(?:.*\n){0,6}?SyntaxError: (.*)`, protocol.CategorySyntax,
		"syntax error in %s, line %s: %s", correctIt},
	{`^SyntaxError: (.*)`, protocol.CategorySyntax, "syntax error: %s", correctIt},

	{`(?:Errno::EACCES|PermissionError|EACCES|Permission denied)[^\n'"/]*['"]?(/[^'"\s]+)`, protocol.CategoryPermission,
		"it may not use %s", lookAtMode},
}

// readOutputFor looks for a sign in what the app wrote.
func readOutputFor(s Symptoms) (Diagnosis, bool) {
	text := strings.Join(s.Output, "\n")
	for _, sign := range signs() {
		if m := sign.pattern.FindStringSubmatch(text); m != nil {
			return Diagnosis{sign.category, fmt.Sprintf(sign.summary, matched(m[1:])...), sign.advice}, true
		}
	}
	return Diagnosis{}, false
}

// matched returns the submatches that are not empty: those of the alternative
// that matched.
func matched(matches []string) []any {
	var found []any
	for _, m := range matches {
		if m != "" {
			found = append(found, m)
		}
	}
	return found
}
