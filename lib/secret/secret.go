// Package secret tells what must not be shown of an app's environment: not in
// a spawn error, not in the API, not in a log.
package secret

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Hidden stands for the value of a secret.
const Hidden = "[redacted]"

// words in a variable's name make its value a secret; suffixes at its end do.
var (
	words    = []string{"SECRET", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "KEY", "CREDENTIAL", "AUTH", "COOKIE", "DSN", "DATABASE_URL", "REDIS_URL", "MONGODB_URI", "AMQP_URL", "SALT", "PRIVATE"}
	suffixes = []string{"_PASS", "_PWD", "_PW"}
)

// Is says whether a variable's value is a secret, by its name or by what it
// looks like: a URL with a password in it.
func Is(name, value string) bool {
	name = strings.ToUpper(name)
	return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) }) ||
		slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) }) ||
		passwordOf(value) != ""
}

// Environment returns a copy of env without the values of secrets.
func Environment(env map[string]string) map[string]string { return Of(env, nil).Environment(env) }

// Command returns a command line without the values of secrets: those of
// NAME=VALUE and --name=VALUE words.
func Command(args []string) []string {
	safe := make([]string, len(args))
	for i, arg := range args {
		safe[i] = option().ReplaceAllStringFunc(arg, func(s string) string {
			name, value, _ := strings.Cut(s, "=")
			if Is(strings.ReplaceAll(name, "-", "_"), value) {
				return name + "=" + Hidden
			}
			return s
		})
	}
	return safe
}

var option = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`([A-Za-z][A-Za-z0-9_-]*)=("[^"]*"|'[^']*'|[^\s"']+)`)
})

// A shorter value than these is not looked for in text: it would be found
// everywhere. What stands in a file of variables is kept there for a reason,
// but not each is a secret, so it has to be longer.
const (
	shortest         = 6
	shortestFromFile = 8
)

// A Set is the secrets of one environment. The zero Set has none.
type Set struct {
	names  map[string]bool
	values []string // longest first
}

// Of returns the secrets of an environment: the variables that look like one,
// and all that come from files of variables, which are named.
func Of(env map[string]string, fromFiles []string) Set {
	s := Set{names: map[string]bool{}}
	public := map[string]bool{}
	for name, value := range env {
		if Is(name, value) || slices.Contains(fromFiles, name) {
			s.names[name] = true
		} else {
			public[value] = true
		}
	}
	found := map[string]bool{}
	for name := range s.names {
		least := shortest
		if !Is(name, env[name]) {
			least = shortestFromFile
		}
		for _, value := range parts(env[name]) {
			if len(value) >= least && !public[value] {
				found[value] = true
			}
		}
	}
	s.values = slices.SortedFunc(maps.Keys(found), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	return s
}

// parts are the pieces of a value that may appear by themselves: its lines,
// and the password in a URL.
func parts(value string) []string {
	found := []string{}
	for line := range strings.Lines(value) {
		found = append(found, strings.TrimSpace(line))
	}
	return append(found, passwordOf(value))
}

// Environment returns a copy of env without the values of the secrets.
func (s Set) Environment(env map[string]string) map[string]string {
	safe := make(map[string]string, len(env))
	for name, value := range env {
		if s.names[name] {
			safe[name] = Hidden
		} else {
			safe[name] = s.Text(value)
		}
	}
	return safe
}

// Text returns the text without the values of the secrets, wherever they
// stand in it.
func (s Set) Text(text string) string {
	for _, value := range s.values {
		text = strings.ReplaceAll(text, value, Hidden)
	}
	return text
}

// Lines does so for each line.
func (s Set) Lines(lines []string) []string {
	safe := make([]string, len(lines))
	for i, line := range lines {
		safe[i] = s.Text(line)
	}
	return safe
}

// passwordOf is the password in scheme://user:password@host, else empty.
func passwordOf(s string) string {
	_, rest, ok := strings.Cut(s, "://")
	if !ok {
		return ""
	}
	authority, _, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return ""
	}
	_, password, _ := strings.Cut(authority[:at], ":")
	return password
}
