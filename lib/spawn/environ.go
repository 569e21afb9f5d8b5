package spawn

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"passenger/lib/account"
	"passenger/lib/protocol"
)

// inherited are the variables that an app gets from the spawner's own
// environment, besides LC_*.
var inherited = []string{"PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR"}

// defaultPath is the PATH of an app whose spawner has none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment builds an app's environment from scratch. Later wins: what is
// inherited, the user, the app's environment name, the adapter's needs, the
// app's own envvars. What [EnvSources] add comes between the last two, and the
// process contract's variables last, from whoever starts the process.
func environment(c protocol.AppConfig, pwd string, adapter []string, u account.User) map[string]string {
	env := map[string]string{"PATH": defaultPath}
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if slices.Contains(inherited, name) || strings.HasPrefix(name, "LC_") {
			env[name] = value
		}
	}
	env["USER"], env["LOGNAME"], env["SHELL"] = u.Name, u.Name, u.Shell
	if u.Home != "" {
		env["HOME"] = u.Home
	}
	env["PWD"] = pwd
	env["IN_PASSENGER"] = "1"
	for _, name := range []string{"RAILS_ENV", "RACK_ENV", "WSGI_ENV", "NODE_ENV", "PASSENGER_APP_ENV"} {
		env[name] = c.Environment
	}
	if c.BaseURI != "/" {
		env["PASSENGER_BASE_URI"] = c.BaseURI
		env["RAILS_RELATIVE_URL_ROOT"] = c.BaseURI
	}
	for _, kv := range adapter {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	maps.Copy(env, c.EnvVars)
	return env
}

// contractNames are the variables of the process contract.
var contractNames = []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "PASSENGER_NOTIFY_FD", "PASSENGER_PRELOADER_FD", "PASSENGER_THREADS"}

// sources are what a process adds itself.
func sources(c protocol.AppConfig, u account.User) EnvSources {
	e := EnvSources{Files: c.EnvFiles, Fixed: contractNames}
	if c.LoadShellEnvVars {
		e.LoginShell = u.Shell
	}
	if c.Type == protocol.TypeGeneric {
		e.Fixed = append(slices.Clone(e.Fixed), "PORT")
	}
	e.Fixed = append(slices.Clone(e.Fixed), slices.Sorted(maps.Keys(c.EnvVars))...)
	return e
}

// list renders an environment in a fixed order.
func list(env map[string]string) []string {
	kv := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		kv = append(kv, name+"="+env[name])
	}
	return kv
}

// Redacted stands for the value of a secret.
const Redacted = "[redacted]"

// secretWords in a variable's name make its value a secret.
var secretWords = []string{"SECRET", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "KEY", "CREDENTIAL", "AUTH", "COOKIE", "DSN", "DATABASE_URL", "REDIS_URL", "MONGODB_URI", "AMQP_URL", "SALT", "PRIVATE"}

// redact returns env with the values of secrets replaced.
func redact(env map[string]string) map[string]string {
	safe := make(map[string]string, len(env))
	for name, value := range env {
		if isSecret(name) || hasPasswordInURL(value) {
			value = Redacted
		}
		safe[name] = value
	}
	return safe
}

// secretOption is NAME=VALUE or --name=VALUE in a command line.
var secretOption = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`([A-Za-z][A-Za-z0-9_-]*)=("[^"]*"|'[^']*'|[^\s"']+)`)
})

// redactCommand returns a command line with the values of secrets replaced.
func redactCommand(args []string) []string {
	safe := make([]string, len(args))
	for i, arg := range args {
		safe[i] = secretOption().ReplaceAllStringFunc(arg, func(s string) string {
			name, value, _ := strings.Cut(s, "=")
			if isSecret(strings.ReplaceAll(name, "-", "_")) || hasPasswordInURL(value) {
				return name + "=" + Redacted
			}
			return s
		})
	}
	return safe
}

func isSecret(name string) bool {
	name = strings.ToUpper(name)
	if strings.HasSuffix(name, "_PASS") || strings.HasSuffix(name, "_PWD") {
		return true
	}
	for _, word := range secretWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// hasPasswordInURL says whether s looks like scheme://user:password@host.
func hasPasswordInURL(s string) bool {
	_, rest, ok := strings.Cut(s, "://")
	if !ok {
		return false
	}
	authority, _, _ := strings.Cut(rest, "/")
	userinfo, _, ok := strings.Cut(authority, "@")
	return ok && strings.Contains(userinfo, ":")
}
