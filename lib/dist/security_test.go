package dist_test

import (
	"bufio"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"passenger/lib/security"
)

// auditRules are the lines of our rules for auditd.
func auditRules(t *testing.T) (rules []string) {
	t.Helper()
	f, err := os.Open("auditd/passenger.rules")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if line := s.Text(); line != "" && line[0] != '#' {
			rules = append(rules, line)
		}
	}
	return rules
}

// auditctl(8) reads each rule in a namespace that has no audit system: it says
// what is wrong with the rule, and then that.
func TestRulesForAuditd(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("auditctl"); err != nil {
		t.Skip("no auditctl")
	}
	said := func(rule string) string {
		out, _ := exec.Command("unshare", append([]string{"-rn", "auditctl"}, strings.Fields(rule)...)...).CombinedOutput() // what it says decides
		text := strings.ReplaceAll(string(out), "The audit system is disabled\n", "")
		return strings.ReplaceAll(text, "Field option not supported by kernel: exe\n", "") // it cannot ask there
	}
	if got := said("-w /etc/passenger -p z -k x"); strings.HasPrefix(got, "unshare: ") {
		t.Skip(got)
	} else if !strings.Contains(got, "Permission z") {
		t.Fatalf("a wrong rule: got %q", got)
	}
	for _, rule := range auditRules(t) {
		if got := said(rule); got != "" {
			t.Errorf("%s: %s", rule, got)
		}
		if path, ok := strings.CutPrefix(rule, "-w /usr/lib/systemd/system/"); ok {
			path, _, _ = strings.Cut(path, " ")
			if _, err := os.Stat(filepath.Join("systemd", path)); err != nil {
				t.Errorf("%s: we have no such unit", rule)
			}
		}
	}
}

// augenrules(8) takes the file up, in a mount namespace with an /etc/audit of our own.
func TestRulesForAugenrules(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("augenrules"); err != nil || os.Geteuid() != 0 {
		t.Skip("no augenrules, or not root")
	}
	etc := t.TempDir()
	out, err := exec.Command("unshare", "--mount", "sh", "-euc", `
		mkdir "$1/rules.d"; cp auditd/passenger.rules "$1/rules.d/50-passenger.rules"
		mount --bind "$1" /etc/audit
		augenrules --check
		augenrules >/dev/null
		augenrules --check
	`, "sh", etc).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "should be updated") || !strings.Contains(string(out), "No change") {
		t.Errorf("got %v:\n%s", err, out)
	}
	made, err := os.ReadFile(filepath.Join(etc, "audit.rules"))
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range auditRules(t) {
		if !strings.Contains(string(made), rule+"\n") {
			t.Errorf("%s is not in what it made:\n%s", rule, made)
		}
	}
}

// The files for OSSEC are XML, and name each event once.
func TestRulesForOSSEC(t *testing.T) {
	t.Parallel()
	var actions []string
	for _, name := range []string{"passenger_decoder.xml", "passenger_rules.xml", "agent.xml"} {
		f, err := os.Open(filepath.Join("ossec", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for d := xml.NewDecoder(f); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if text, ok := token.(xml.CharData); ok && name == "passenger_rules.xml" {
				if _, action, ok := strings.Cut(string(text), `"event.action":"`); ok {
					actions = append(actions, strings.TrimSuffix(action, `"`))
				}
			}
		}
	}
	var want []string
	for _, a := range security.Actions {
		want = append(want, string(a))
	}
	if !slices.Equal(actions, want) {
		t.Errorf("got rules for %q, want %q", actions, want)
	}
}

// A script of an init system is a program.
func TestScriptsOfInitSystemsAreExecutable(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("init/*/*/run")
	if err != nil || len(paths) != 6 {
		t.Fatalf("got %q, %v, want six", paths, err)
	}
	for _, path := range append(paths, "init/run", "init/ready", "init/stop-apps", "init/sysv/passenger", "init/openrc/passenger-apps") {
		if fi, err := os.Stat(path); err != nil || fi.Mode()&0o111 != 0o111 {
			t.Errorf("%s: %v, want it executable", path, err)
		}
	}
}

// An example that calls a program of ours by a flag that is none would be found
// out at somebody's first deploy.
func TestExamplesRestartAndWait(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"capistrano/passenger.rake":                 `"--wait", "--timeout"`,
		"ci/deploy.sh":                              `passenger-pool restart "$3" --wait`,
		"ansible/roles/passenger/handlers/main.yml": `restart {{ passenger_app_name }} --wait`,
		"chef/resources/app.rb":                     `passenger-pool restart #{new_resource.app_name} --wait`,
	} {
		if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, want %s in it", path, err, want)
		}
	}
}
