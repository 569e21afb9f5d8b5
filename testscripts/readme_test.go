package testscripts

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	citedRow  = regexp.MustCompile(`\b[Rr]ows? ([0-9]+)(?: (?:to|and) ([0-9]+))?\b`)
	tableRow  = regexp.MustCompile(`(?m)^\| ([0-9]+) \|[^|]+\| ([^|]+) \|$`)
	topicRow  = regexp.MustCompile(`(?m)^\| ([a-z0-9, ]+) \| [^|]+ \|$`)
	published = regexp.MustCompile(`(?m)^\| ([XP])([0-9]+)–[XP]([0-9]+) \|`)
	citedID   = regexp.MustCompile(`\b([XP])([0-9]{1,2})\b`)
	comment   = regexp.MustCompile(`(?m)^\s*(?://|#)(.*)$`)
)

// TestReadme keeps README.md true: every topic is in it, every script and
// package that it names exists, and every row of the fault matrix and every id
// of a vulnerability that a comment cites is defined there.
func TestReadme(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(b)
	checkTopics(t, readme)
	rows := map[int]bool{}
	for _, m := range tableRow.FindAllStringSubmatch(readme, -1) {
		n, _ := strconv.Atoi(m[1]) // the expression takes digits only
		rows[n] = true
		for place := range strings.SplitSeq(m[2], ", ") {
			checkPlace(t, m[1], place)
		}
	}
	last := map[string]int{}
	for _, m := range published.FindAllStringSubmatch(readme, -1) {
		n, _ := strconv.Atoi(m[3])
		last[m[1]] = max(last[m[1]], n)
	}
	for path, text := range comments(t) {
		for _, m := range citedRow.FindAllStringSubmatch(text, -1) {
			for _, number := range m[1:] {
				if n, err := strconv.Atoi(number); err == nil && !rows[n] {
					t.Errorf("%s cites row %d, which README.md does not have", path, n)
				}
			}
		}
		for _, m := range citedID.FindAllStringSubmatch(text, -1) {
			if n, _ := strconv.Atoi(m[2]); n > last[m[1]] {
				t.Errorf("%s cites %s, which README.md does not have", path, m[0])
			}
		}
	}
}

func checkTopics(t *testing.T, readme string) {
	t.Helper()
	topics := map[string]bool{}
	for _, m := range topicRow.FindAllStringSubmatch(readme, -1) {
		for topic := range strings.SplitSeq(m[1], ", ") {
			topics[topic] = true
		}
	}
	scripts, err := filepath.Glob("*.txtar")
	more, err2 := filepath.Glob("distros/*.txtar")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	for _, script := range append(scripts, more...) {
		topic, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(script), ".txtar"), "_")
		if !topics[topic] {
			t.Errorf("%s: README.md has no topic %q", script, topic)
		}
	}
}

// checkPlace says when a row names a script or a package that is not there.
func checkPlace(t *testing.T, row, place string) {
	t.Helper()
	if place == "—" {
		return // nothing shows it yet
	}
	path := place + ".txtar"
	if strings.HasPrefix(place, "lib/") {
		path = filepath.Join("..", place)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("README.md, row %s: %v", row, err)
	}
}

// comments returns the comments of all scripts and Go files, by path.
func comments(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if ext := filepath.Ext(path); ext != ".go" && ext != ".txtar" {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var text strings.Builder
		for _, m := range comment.FindAllStringSubmatch(string(b), -1) {
			text.WriteString(m[1] + "\n")
		}
		all[path] = text.String()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
