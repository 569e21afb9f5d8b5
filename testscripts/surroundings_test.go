package testscripts

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"passenger/lib/proc"
)

// What surrounds a run passes on to all that it starts: signals that a shell's
// background job or nohup(1) ignores, a umask, variables of a service manager or
// a proxy. So that a script means the same everywhere, the test sets them.

// startAfresh executes this test once more, with every signal as it is for a
// command of a terminal: what ignores SIGINT from its start on never hears ctrl-c.
func startAfresh() {
	const done = "PASSENGER_TEST_AFRESH"
	if os.Getenv(done) != "" {
		return
	}
	program, err := os.Executable()
	if err == nil {
		runtime.LockOSThread() // signals are blocked by the thread
		proc.RestoreSignals()
		err = syscall.Exec(program, os.Args, append(os.Environ(), done+"=1"))
	}
	fmt.Fprintf(os.Stderr, "execute %s again: %v\n", cmp.Or(program, "this test"), err)
	os.Exit(1)
}

// longestTemp leaves room for the sockets below state directories in a script's
// folder: a path of one has at most 107 bytes, see unix(7).
const longestTemp = 20

// setSurroundings is for after the programs were built, which may need a proxy.
func setSurroundings() {
	syscall.Umask(0o022) // other users read what scripts make
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); foreign(name) {
			os.Unsetenv(name)
		}
	}
	os.Setenv("LANG", "C.UTF-8")
	os.Setenv("PASSENGER_POOL_MAX_POOL_SIZE", poolSize)
	if len(os.TempDir()) > longestTemp {
		os.Setenv("TMPDIR", "/tmp")
	}
}

// poolSize is what a machine without limits has by default. Where a cgroup
// limits processors, as in many a CI, it were another.
const poolSize = "6"

// foreign says whether a variable changes what our programs, interpreters or
// clients do, and is none of this test.
func foreign(name string) bool {
	upper := strings.ToUpper(name)
	for _, prefix := range []string{"PASSENGER_", "LC_", "LISTEN_", "WATCHDOG_"} {
		if strings.HasPrefix(upper, prefix) {
			return !strings.HasPrefix(upper, "PASSENGER_TEST_")
		}
	}
	for _, suffix := range []string{"_PROXY", "_DIRECTORY"} {
		if strings.HasSuffix(upper, suffix) {
			return true
		}
	}
	return slices.Contains([]string{
		"NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM", "XDG_RUNTIME_DIR", // of systemd
		"RACK_ENV", "RAILS_ENV", "NODE_ENV", "NODE_OPTIONS", "RUBYOPT", "PYTHONOPTIMIZE", "PORT", "HOST",
		"LANGUAGE", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE",
	}, upper)
}
