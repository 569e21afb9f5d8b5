//go:build race

package testscripts

import (
	"fmt"
	"os"
	"path/filepath"
)

var raceFlag = []string{"-race"}

// races is where the programs report the data races in them: a daemon's log is
// only read for what a script looks for.
var races string

// collectRaces has each program that this test starts report its races to a file
// in dir, whichever user it runs as.
func collectRaces(dir string) error {
	races = filepath.Join(dir, "races")
	if err := os.Mkdir(races, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(races, 0o777); err != nil {
		return err
	}
	return os.Setenv("GORACE", "log_path="+filepath.Join(races, "of"))
}

// reportRaces prints what was reported, and tells whether anything was.
func reportRaces() bool {
	reports, _ := filepath.Glob(filepath.Join(races, "of.*"))
	for _, name := range reports {
		report, err := os.ReadFile(name)
		if err != nil {
			report = []byte(err.Error())
		}
		fmt.Printf("process %s, which a script started:\n%s\n", filepath.Ext(name)[1:], report)
	}
	return len(reports) > 0
}
