package dist_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// P6, Passenger 2016-10345: nothing that a user runs or is told to run writes
// to a name in /tmp that another user could have taken before.
func TestNothingNamesAFileInTmp(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"README.md", "Makefile", ".ci/*", "man/*.[1-8]", "lib/dist/passenger*", "lib/adapter/*/*", "testscripts/*.sh", "testscripts/bench/*.sh"} {
		found, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			t.Errorf("no files %s", pattern)
		}
		files = append(files, found...)
	}
	fixed := regexp.MustCompile(`(?:^|[^\w.}])(/var)?/tmp/[\w.-]+`)
	for _, file := range files {
		if fi, err := os.Stat(file); err == nil && fi.IsDir() || filepath.Ext(file) == ".go" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range fixed.FindAllString(string(text), -1) {
			t.Errorf("%s: names %s", file, name)
		}
	}
}
