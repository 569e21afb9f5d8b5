package testscripts

import (
	"fmt"
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
