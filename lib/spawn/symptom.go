package spawn

import (
	"fmt"
	"regexp"
	"strings"

	"passenger/lib/protocol"
)

// A sign is something that an app writes before it exits, and what it means.
// Submatches of the pattern fill the verbs of summary and advice.
type sign struct {
	pattern  *regexp.Regexp
	category protocol.Category
	summary  string // one %s a submatch
	advice   string // may use the first submatch
}

// signs in the order in which they are looked for; the first that any line
// shows decides. Adapters name their apps' errors themselves; these are for
// what happens before an adapter runs, and for generic commands.
var signs = []sign{
	{regexp.MustCompile(`Could not find gem '([^']+)'`), protocol.CategoryDependency,
		"gem %s is missing", "run \"bundle install\" in the app's directory, as the app's user"},
	{regexp.MustCompile(`Could not find (\S+-\d\S*) in (?:any of the sources|locally installed gems)`), protocol.CategoryDependency,
		"gem %s is missing", "run \"bundle install\" in the app's directory, as the app's user"},
	{regexp.MustCompile(`cannot load such file -- (\S+)`), protocol.CategoryDependency,
		"Ruby cannot load %q", "add the gem to the Gemfile and run \"bundle install\", or correct the require"},
	{regexp.MustCompile(`ModuleNotFoundError: No module named '([^']+)'`), protocol.CategoryDependency,
		"Python module %q is missing", "install it into the app's virtualenv"},
	{regexp.MustCompile(`Error: Cannot find module '([^']+)'`), protocol.CategoryDependency,
		"Node.js module %q is missing", "run \"npm install\" in the app's directory"},
	{regexp.MustCompile(`Error \[ERR_MODULE_NOT_FOUND\]: Cannot find package '([^']+)'`), protocol.CategoryDependency,
		"Node.js package %q is missing", "run \"npm install\" in the app's directory"},
	{regexp.MustCompile(`listen EADDRINUSE.*?:(\d+)|(?i:address already in use).*?(\d+)`), protocol.CategoryPort,
		"its port %s is taken", "let the app listen on $PORT instead of a port of its own"},
	{regexp.MustCompile(`^(?:/bin/)?sh: \d+: exec: (\S+): not found`), protocol.CategoryInterpreter,
		"the command %q does not exist", "install it, or correct app_start_command"},
	{regexp.MustCompile(`^(?:/bin/)?sh: \d+: exec: (\S+): Permission denied`), protocol.CategoryPermission,
		"the command %q may not be executed", "make it executable (chmod +x)"},
	{regexp.MustCompile(`^(?:/bin/)?sh: \d+: Syntax error: (.*)`), protocol.CategoryConfig,
		"app_start_command is not shell: %s", "correct app_start_command"},
	{regexp.MustCompile(`^(\S+\.rb:\d+|\S+\.ru:\d+): syntax error`), protocol.CategorySyntax,
		"syntax error at %s", "correct it and start again"},
	{regexp.MustCompile(`^SyntaxError: (.*)`), protocol.CategorySyntax,
		"syntax error: %s", "correct it and start again; the place is in the lines below"},
	{regexp.MustCompile(`(?:Errno::EACCES|PermissionError|EACCES|Permission denied)[^'"/]*['"]?(/[^'"\s]+)`), protocol.CategoryPermission,
		"it may not use %s", "check the owner and mode of that path and of its parents"},
}

// readOutputFor looks for a sign in what the app wrote.
func readOutputFor(s symptoms) (diagnosis, bool) {
	for _, sign := range signs {
		for _, line := range s.output {
			m := sign.pattern.FindStringSubmatch(strings.TrimSpace(line))
			if m == nil {
				continue
			}
			return diagnosis{sign.category, fmt.Sprintf(sign.summary, firstOf(m[1:])), sign.advice}, true
		}
	}
	return diagnosis{}, false
}

func firstOf(matches []string) string {
	for _, m := range matches {
		if m != "" {
			return m
		}
	}
	return ""
}
