package migrate

import (
	"os"
	"strings"
	"testing"
)

// passenger-migration(7) says of each setting what it becomes: the names on a line
// of its tables, and the key behind them. Other names of the same are left out.
func TestManualPageHasTheTables(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../man/passenger-migration.7")
	if err != nil {
		t.Fatal(err)
	}
	for heading, rules := range map[string]table{"UWSGI": uwsgi, "PUMA": puma, "GUNICORN": gunicorn, "PM2": pm2} {
		_, section, _ := strings.Cut(string(b), "\n.Sh "+heading+"\n")
		section, _, _ = strings.Cut(section, "\n.Sh ")
		for key := range keysOf(rules) {
			if !tells(section, rules, key) {
				t.Errorf("%s: no line has %q with one of its names", heading, key)
			}
		}
	}
}

func keysOf(rules table) map[string]bool {
	keys := map[string]bool{}
	for _, r := range rules {
		if r.key != "" {
			keys[r.key] = true
		}
	}
	return keys
}

// tells says that a line of the section has the key and a name that becomes it.
func tells(section string, rules table, key string) bool {
	for line := range strings.Lines(section) {
		names, becomes, ok := strings.Cut(strings.TrimPrefix(line, ".It "), " Ta ")
		if !ok || !strings.Contains(becomes, key) {
			continue
		}
		for name := range strings.SplitSeq(names, ", ") {
			if rules[name].key == key {
				return true
			}
		}
	}
	return false
}
