package spawn

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

// environment builds an app's environment from scratch. Later wins: what is
// inherited, the user, the app's environment name, the adapter's needs, the
// app's own envvars. What the adapter names without a value is unset. Of what [EnvSources] add, the login shell's comes after
// what is inherited and the files' before the envvars. The process contract's
// variables come last, from whoever starts the process.
func environment(c protocol.AppConfig, pwd string, adapter []string, u account.User) map[string]string {
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

// pathOfOthers is our PATH for another user: what lies in our home directory, or
// depends on the working directory, is not for it.
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

// contractNames are the variables of the process contract.
var contractNames = []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "PASSENGER_NOTIFY_FD", "PASSENGER_PRELOADER_FD", "PASSENGER_THREADS"}

// sources are what a process adds itself to env.
func sources(c protocol.AppConfig, env map[string]string, u account.User) EnvSources {
	e := EnvSources{Files: c.EnvFiles, Fixed: contractNames}
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

// list renders an environment in a fixed order.
func list(env map[string]string) []string {
	kv := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		kv = append(kv, name+"="+env[name])
	}
	return kv
}
