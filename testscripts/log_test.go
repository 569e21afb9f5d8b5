package testscripts

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdAwaitLog waits until what a daemon wrote, over all its starts, matches:
// await-log NAME REGEXP
func cmdAwaitLog(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await-log NAME REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	ts.Check(eventually("the log", func() error {
		if log := ts.ReadFile(args[0] + ".log"); !re.MatchString(log) {
			return fmt.Errorf("%s.log does not match %q:\n%.4000s", args[0], args[1], log)
		}
		return nil
	}))
}

// cmdAwaitFile waits until a file matches: await-file PATH REGEXP
func cmdAwaitFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await-file PATH REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	ts.Check(eventually("the file", func() error {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && !re.Match(b) {
			err = fmt.Errorf("%s does not match %q:\n%.4000s", args[0], args[1], b)
		}
		return err
	}))
}

// tellIfFailed logs what the daemons of a failed script wrote last: a script's
// own log only has what its commands printed.
func (w *world) tellIfFailed(t testscript.T) {
	const most = 16 << 10
	if f, ok := t.(interface{ Failed() bool }); !ok || !f.Failed() {
		return
	}
	for name := range w.daemons {
		b, err := os.ReadFile(filepath.Join(w.work, name+".log"))
		if err != nil {
			t.Log(name, err)
			continue
		}
		t.Log(fmt.Sprintf("%s.log:\n%s", name, b[max(0, len(b)-most):]))
	}
}
