package dist_test

import (
	"encoding/json"
	gobuild "go/build"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// promtool runs that program, which testscripts/prepare.sh installs.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		path = filepath.Join(gobuild.Default.GOPATH, "bin", "promtool")
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	c := exec.Command(path, args...)
	c.Dir = "prometheus"
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPrometheusTakesTheRules(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "config", "prometheus.yml")
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", "passenger.rules.yml")
	promtool(t, "test", "rules", "passenger.test.yml")
}

// Each alert has a test, and a section in the manual that its annotation names.
func TestAlertsHaveRunbooks(t *testing.T) {
	t.Parallel()
	rules, tests, manual := readText(t, "prometheus/passenger.rules.yml"), readText(t, "prometheus/passenger.test.yml"), readText(t, "../../man/passenger-watching.7")
	alerts := regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(rules, -1)
	if len(alerts) == 0 {
		t.Fatal("no alerts")
	}
	sections := regexp.MustCompile(`(?m)^\.It Li Passenger\w+$`).FindAllString(manual, -1)
	if len(sections) != len(alerts) {
		t.Errorf("the manual has %d alerts, the rules have %d", len(sections), len(alerts))
	}
	for _, a := range alerts {
		for _, want := range []struct{ text, has, where string }{
			{manual, "\n.It Li " + a[1] + "\n", "the manual"},
			{tests, `alertname="` + a[1] + `"`, "the tests"},
			{rules, "runbook: man 7 passenger-watching, " + a[1] + "\n", "its annotations"},
		} {
			if !strings.Contains(want.text, want.has) {
				t.Errorf("%s has no %q", want.where, want.has)
			}
		}
	}
}

// A dashboard is found by its uid, and a panel by its ID; each says what it shows.
func TestDashboardsAreWhole(t *testing.T) {
	t.Parallel()
	type board struct {
		UID, Title, Description string
		Panels                  []struct {
			ID          int
			Type, Title string
			Targets     []struct{ Expr, LegendFormat string }
			GridPos     struct{ X, Y, W, H int }
		}
	}
	seen := map[string]bool{}
	for _, name := range []string{"overview", "app", "processes", "deploys"} {
		var b board
		if err := json.Unmarshal([]byte(readText(t, "grafana/"+name+".json")), &b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b.UID != "passenger-"+name || b.Title == "" || b.Description == "" || seen[b.UID] {
			t.Errorf("%s: got uid %q, title %q, description %q", name, b.UID, b.Title, b.Description)
		}
		seen[b.UID] = true
		ids, taken := map[int]bool{}, map[[2]int]string{}
		for _, p := range b.Panels {
			if ids[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
				t.Errorf("%s: panel %d, %q: its ID is taken, or it has no title or nothing to show", name, p.ID, p.Title)
			}
			ids[p.ID] = true
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
						t.Fatalf("%s: panel %q lies on %q, or beyond the edge", name, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}
