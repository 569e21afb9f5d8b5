package dist_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// exposure is the most that systemd-analyze(1) may say of a unit, in tenths: 100
// is one without any sandbox. Apps inherit the spawner's, which has to let them
// be what they are.
var exposure = map[string]string{
	"passenger-apps.service":  "20",
	"passenger-pool.service":  "20",
	"passenger-proxy.service": "20",
	"passenger-spawn.service": "65",

	"passenger-status.service": "20",
	"passenger@.service":       "30",
}

func TestUnits(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-analyze is missing; testscripts/prepare.sh installs it")
		}
		t.Skip("no systemd-analyze")
	}
	root := t.TempDir()
	units := filepath.Join(root, "units")
	var files []string
	for _, pattern := range []string{"systemd/passenger*", "systemd/user/passenger*"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no units %s: %v", pattern, err)
		}
		files = append(files, found...)
	}
	if err := os.Mkdir(units, 0o755); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		// The programs are installed elsewhere, if at all.
		text = bytes.ReplaceAll(text, []byte("/usr/bin/passenger"), []byte(root+"/passenger"))
		name := filepath.Base(f)
		if filepath.Base(filepath.Dir(f)) == "user" {
			name = "user-" + name // the other one of that name is there
		}
		if err := os.WriteFile(filepath.Join(units, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
		switch filepath.Ext(f) {
		case ".service", ".socket", ".target":
			names = append(names, filepath.Join(units, strings.Replace(name, "@.", "@srv-shop.", 1)))
		}
	}
	for _, program := range []string{"passenger", "passenger-spawn", "passenger-pool", "passenger-proxy", "passenger-status"} {
		if err := os.WriteFile(filepath.Join(root, program), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("systemd-analyze", append([]string{"verify", "--man=no"}, names...)...).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "passenger") { // others' units may be wrong, too
			t.Errorf("systemd-analyze verify: %s", strings.TrimSpace(line))
		}
	}
	if err != nil {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	for name, most := range exposure {
		out, err := exec.Command("systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold="+most, filepath.Join(units, name)).CombinedOutput()
		if err != nil {
			t.Errorf("%s is more exposed than %s tenths: %v\n%s", name, most, err, out)
		}
	}
}
