// Package testscripts drives the real programs, with real applications, as
// their users do. Each *.txtar is one behaviour. README.md describes the
// language of the scripts: that of testscript, and the commands of this package.
package testscripts

import (
	"errors"
	"fmt"
	gobuild "go/build"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptBound is how long one script may take, from its own start. Each wait in
// it has a bound of its own; this is for a daemon that starts in the foreground
// where it should have failed. The slowest script takes half a minute on an idle
// machine; there is room for one with thirty others at work.
const scriptBound = 10 * time.Minute

// bin is the folder of the programs, built once for the run; or that of
// $PASSENGER_TEST_BIN, which were built before, for a system without Go.
var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	startAfresh()
	os.Setenv("PEBBLE_VA_NOSLEEP", "1") // see cmdCA; it sleeps at random otherwise
	if bin = os.Getenv("PASSENGER_TEST_BIN"); bin != "" {
		setSurroundings()
		return m.Run()
	}
	var err error
	bin, err = os.MkdirTemp("", "psgbin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	if err := errors.Join(build(), collectRaces(bin)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	setSurroundings()
	status := m.Run()
	if reportRaces() {
		return 1
	}
	return status
}

// coverDir is where programs write which of their statements ran, empty if they
// do not count; see "make cover".
var coverDir = os.Getenv("PASSENGER_TEST_COVER")

// build puts the programs and the applications written in Go into bin, with
// the race detector if this test has it.
func build() error {
	programs := append([]string{"build"}, raceFlag...)
	apps := slices.Clone(programs)
	if coverDir != "" {
		programs = append(programs, "-cover", "-coverpkg=passenger/cmd/...,passenger/lib/...")
		os.Setenv("GOCOVERDIR", coverDir)
	}
	programs = append(programs, "-o", bin+"/", "passenger/cmd/...")
	demo := append(slices.Clone(apps), "-o", filepath.Join(bin, "passenger-demo"), "passenger/lib/dist/demo")
	apps = append(apps, "-o", bin+"/", "passenger/testscripts/apps/generic-port", "passenger/testscripts/apps/generic-fds", "passenger/testscripts/vm/load")
	for _, args := range [][]string{programs, apps, demo} {
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("go %v: %w\n%s", args, err, out)
		}
	}
	for _, name := range []string{"passenger", "passenger-config"} {
		script, err := os.ReadFile("../lib/dist/" + name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(bin, name), script, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func TestScripts(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if *distros {
		more, err := filepath.Glob("distros/*.txtar")
		if err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, more...)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar"), func(t *testing.T) {
			t.Parallel()
			testscript.RunT(alone{t}, testscript.Params{
				Files:               []string{script},
				Setup:               setup,
				Cmds:                commands,
				Condition:           condition,
				RequireExplicitExec: true,
				RequireUniqueNames:  true,
				Deadline:            time.Now().Add(scriptBound + *soakTime),
			})
		})
	}
}

// alone makes the one script of a run that test itself, so that its deadline
// begins when it does, and not when it begins to wait for others.
type alone struct{ *testing.T }

func (a alone) Run(_ string, f func(testscript.T)) { f(a) }
func (a alone) Parallel()                          {}
func (a alone) Verbose() bool                      { return testing.Verbose() }

// commands are those of this project, besides testscript's own.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"start":             cmdStart,
	"start-at-terminal": cmdStartAtTerminal,
	"signal":            cmdSignal,
	"signal-group":      cmdSignalGroup,
	"await-exit":        cmdAwaitExit,
	"serve":             cmdServe,
	"await-ready":       cmdAwaitReady,
	"await-app":         cmdAwaitApp,
	"await-up":          cmdAwaitUp,
	"await-gone":        cmdAwaitGone,
	"kill-app":          cmdKillApp,
	"http":              cmdHTTP,
	"raw":               cmdRaw,
	"load-start":        cmdLoadStart,
	"load-stop":         cmdLoadStop,
	"load-await":        cmdLoadAwait,
	"check-app":         cmdCheckApp,
	"check-stack":       cmdCheckStack,
	"chaos":             cmdChaos,
	"soak":              cmdSoak,
	"exits":             cmdExits,
	"port":              cmdPort,
	"ctrl-c":            cmdCtrlC,
	"crash":             cmdCrash,
	"replace":           cmdReplace,
	"upgrade":           cmdUpgrade,
	"ca":                cmdCA,

	"sockets-open":     cmdSocketsOpen,
	"sockets-echo":     cmdSocketsEcho,
	"sockets-farewell": cmdSocketsFarewell,

	"await-log":      cmdAwaitLog,
	"await-metric":   cmdAwaitMetric,
	"check-metrics":  cmdCheckMetrics,
	"check-queries":  cmdCheckQueries,
	"elastic":        cmdElastic,
	"await-file":     cmdAwaitFile,
	"await-requests": cmdAwaitRequests,
	"await-stdout":   cmdAwaitStdout,
}

// setup gives each script a state directory of its own, with a path short
// enough for sockets, and ends what the script leaves running.
func setup(env *testscript.Env) error {
	state, err := os.MkdirTemp("", "psg")
	if err != nil {
		return err
	}
	apps, err := filepath.Abs("apps")
	if err != nil {
		return err
	}
	w := &world{state: filepath.Join(state, "s"), work: env.WorkDir, daemons: map[string]*daemon{}, loads: map[string]*load{}, sockets: map[string][]*socket{}}
	env.Values[worldKey{}] = w
	// Apps that run as other users get to their files and to our programs.
	for _, dir := range []string{bin, state, filepath.Dir(env.WorkDir)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	tools := filepath.Join(gobuild.Default.GOPATH, "bin") // where prepare.sh installs some
	env.Setenv("PATH", strings.Join([]string{bin, os.Getenv("PATH"), tools}, string(os.PathListSeparator)))
	env.Setenv("PASSENGER_STATE_DIR", w.state)
	env.Setenv("PASSENGER_POOL_MAX_POOL_SIZE", poolSize)
	env.Setenv("PASSENGER_STATUS_PATIENCE", "60s") // a daemon may have to wait for a processor
	env.Setenv("GOCOVERDIR", coverDir)
	env.Setenv("GORACE", os.Getenv("GORACE"))
	env.Setenv("APPS", apps)
	env.Setenv("NPM", os.Getenv("PASSENGER_TEST_NPM"))           // see npm/build.sh
	env.Setenv("PICTURES", os.Getenv("PASSENGER_TEST_PICTURES")) // where the browser leaves what it saw, nowhere if empty
	env.Setenv("STATE", w.state)
	env.Setenv("TMPDIR", state) // programs make state directories in it; that of testscript is too long for sockets
	env.Setenv("WEB", w.web())
	env.Setenv("REPO", filepath.Dir(filepath.Dir(apps)))
	env.Setenv("BIN", bin)
	w.env = env
	env.Defer(func() {
		w.stopAll()
		w.tellIfFailed(env.T())
		os.RemoveAll(state)
	})
	return nil
}

// condition knows [exec:…] as testscript does, and that a runtime that is
// missing fails a run in CI instead of skipping it.
func condition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Getuid() == 0, nil
	case "netns": // network namespaces, as hosts/hosts.py makes them
		return os.Getuid() == 0 && exec.Command("unshare", "--net", "ip", "link", "add", "v1", "type", "veth", "peer", "name", "v2").Run() == nil, nil
	case "cgroup2": // one that may be divided
		for _, mount := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
			if f, err := os.OpenFile(filepath.Join(mount, "cgroup.subtree_control"), os.O_WRONLY, 0); err == nil {
				return true, f.Close()
			}
		}
		return false, nil
	case "autogroup": // the kernel shares the processor by sessions, and we may change the shares
		_, err := os.Stat("/proc/self/autogroup")
		return err == nil && exec.Command("sh", "-c", "renice -n -1 -p $$").Run() == nil, nil
	case "race": // the programs are slow and large
		return raceFlag != nil, nil
	case "chaos":
		return *chaosTime > 0, nil
	case "soak":
		return *soakTime > 0, nil
	case "faults":
		return *countFaults, nil
	}
	if app, ok := strings.CutPrefix(name, "npm:"); ok { // npm/build.sh has built it
		_, err := os.Stat(filepath.Join(os.Getenv("PASSENGER_TEST_NPM"), app, ".built"))
		return os.Getenv("PASSENGER_TEST_NPM") != "" && err == nil, nil
	}
	if version, ok := strings.CutPrefix(name, "node:"); ok { // this one or a newer one
		return hasNode(version)
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// hasNode says whether the Node.js of the system is version or newer.
func hasNode(version string) (bool, error) {
	out, err := exec.Command("node", "--version").Output()
	if err != nil {
		return false, nil // there is none
	}
	var has, want [2]int
	if _, err := fmt.Sscanf(string(out), "v%d.%d", &has[0], &has[1]); err != nil {
		return false, err
	}
	if _, err := fmt.Sscanf(version+".0", "%d.%d", &want[0], &want[1]); err != nil {
		return false, err
	}
	return slices.Compare(has[:], want[:]) >= 0, nil
}
