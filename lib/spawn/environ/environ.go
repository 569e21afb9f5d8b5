// Package environ makes the environment of an app's processes.
package environ

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"passenger/lib/account"
	"passenger/lib/protocol"
)

// inherited are the variables that an app gets from the spawner's own
// environment, besides LC_*.
var inherited = []string{"PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR"}

// defaultPath is the PATH of an app whose spawner has none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// New builds an app's environment from scratch. Later wins: what is
// inherited, the user, the app's environment name, the adapter's needs, the
// app's own envvars. What the adapter names without a value is unset. [Sources] add to
// it later: the login shell's variables win over what is inherited, those of
// files over all but the envvars. [Contract] comes last.
func New(c protocol.AppConfig, pwd string, adapter []string, u account.User) map[string]string {
	env := map[string]string{"PATH": defaultPath}
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if isInherited(name) {
			env[name] = value
		}
	}
	if u.UID != os.Geteuid() {
		env["PATH"] = pathOfOthers(env["PATH"])
	}
	env["USER"], env["LOGNAME"], env["SHELL"] = u.Name, u.Name, u.Shell
	if u.Home != "" {
		env["HOME"] = u.Home
	}
	env["PWD"] = pwd
	env["IN_PASSENGER"] = "1"
	env["PASSENGER_APP_NAME"] = c.Name
	for _, name := range []string{"RAILS_ENV", "RACK_ENV", "WSGI_ENV", "NODE_ENV", "PASSENGER_APP_ENV"} {
		env[name] = c.Environment
	}
	if c.BaseURI != "/" {
		env["PASSENGER_BASE_URI"] = c.BaseURI
		env["RAILS_RELATIVE_URL_ROOT"] = c.BaseURI
	}
	for _, kv := range adapter {
		name, value, ok := strings.Cut(kv, "=")
		if env[name] = value; !ok {
			delete(env, name)
		}
	}
	maps.Copy(env, c.EnvVars)
	return env
}

// pathOfOthers is our PATH without what is not for another user: directories in
// our home, and those relative to the working directory.
func pathOfOthers(path string) string {
	homes := []string{"/root"}
	if home := os.Getenv("HOME"); filepath.IsAbs(home) && home != "/" {
		homes = append(homes, filepath.Clean(home))
	}
	var dirs []string
	for _, dir := range filepath.SplitList(path) {
		ours := slices.ContainsFunc(homes, func(home string) bool { return dir == home || strings.HasPrefix(dir, home+"/") })
		if filepath.IsAbs(dir) && !ours {
			dirs = append(dirs, dir)
		}
	}
	if dirs == nil {
		return defaultPath
	}
	return strings.Join(dirs, string(filepath.ListSeparator))
}

func isInherited(name string) bool {
	return slices.Contains(inherited, name) || strings.HasPrefix(name, "LC_")
}

// SourcesOf are what a process of the app itself adds to env.
func SourcesOf(c protocol.AppConfig, env map[string]string, u account.User) Sources {
	e := Sources{Files: c.EnvFiles, Fixed: contractNames}
	if c.LoadShellEnvVars {
		e.LoginShell = u.Shell
		for name := range env {
			if !isInherited(name) {
				e.Kept = append(e.Kept, name)
			}
		}
	}
	if c.Type == protocol.TypeGeneric {
		e.Fixed = append(slices.Clone(e.Fixed), "PORT")
	}
	e.Fixed = append(slices.Clone(e.Fixed), slices.Sorted(maps.Keys(c.EnvVars))...)
	return e
}

// List is the environment as NAME=VALUE, in order of names.
func List(env map[string]string) []string {
	kv := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		kv = append(kv, name+"="+env[name])
	}
	return kv
}
