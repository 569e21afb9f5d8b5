package adapter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"passenger/lib/protocol"
)

// Each is a way in which applications change to a virtual environment.
var changes = map[string]string{
	"execl":        `os.execl(INTERP, INTERP, *sys.argv)`,
	"execv":        `os.execv(INTERP, [INTERP] + sys.argv)`,
	"with options": `os.execv(INTERP, [INTERP, "-u"] + sys.argv)`,
	"execle":       `os.execle(INTERP, INTERP, *sys.argv, dict(os.environ, CHANGED="yes"))`,
	"execvp":       `os.execvp(INTERP, [INTERP] + sys.argv)`,
	"file":         `os.execl(INTERP, INTERP, os.path.abspath(__file__))`,
}

func change(exec string) string {
	return `
import os, sys
INTERP = os.path.join(os.getcwd(), "env", "bin", "python")
if sys.executable != INTERP:
    ` + exec + "\n"
}

func makeInterpreter(t *testing.T, root string) {
	t.Helper()
	bin := filepath.Join(root, "env", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/usr/bin/python3", filepath.Join(bin, "python")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "env", "pyvenv.cfg"), []byte("home = /usr/bin\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWSGIChangesToAnotherInterpreter(t *testing.T) {
	t.Parallel()
	need(t, asgiPython)
	for name, exec := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := writeApp(t, map[string]string{"passenger_wsgi.py": change(exec) + `
def application(environ, start_response):
    start_response("200 OK", [])
    left = [name for name in os.environ if name.startswith(("LISTEN", "NOTIFY", "PASSENGER_NOTIFY", "PASSENGER_EXECS"))]
    return [("%s %s %s %s" % (sys.executable == INTERP, sys.argv, left, os.execv.__name__)).encode()]
`})
			makeInterpreter(t, root)
			p := startReady(t, Spec{Type: protocol.TypeWSGI, AppRoot: root, Interpreter: asgiPython, Threads: 2})
			if got, want := p.dial(t).do(t, request{}).body, "True ['passenger_wsgi.py'] [] execv"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestASGIChangesToAnotherInterpreter(t *testing.T) {
	t.Parallel()
	needASGI(t, "uvicorn")
	spec := asgiSpec(t, change(changes["execl"])+"import site; sys.path.append('/usr/lib/python3/dist-packages')\n"+asgiApp)
	makeInterpreter(t, spec.AppRoot)
	p := startReady(t, spec)
	if got := p.get(t, "/"); !strings.HasPrefix(got, "http ") {
		t.Errorf("got %q", got)
	}
}

func TestPreloaderChangesToAnotherInterpreter(t *testing.T) {
	t.Parallel()
	need(t, asgiPython)
	root := writeApp(t, map[string]string{"passenger_wsgi.py": change(changes["execl"]) + `
def application(environ, start_response):
    start_response("200 OK", [])
    return [str(sys.executable == INTERP).encode()]
`})
	makeInterpreter(t, root)
	p, _ := startReadyPreloader(t, Spec{Type: protocol.TypeWSGI, AppRoot: root, Interpreter: asgiPython, Preload: true})
	if got := p.worker(t).ask(t, "/"); got != "True" {
		t.Errorf("got %s, want True", got)
	}
}
