package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func scriptFor(t *testing.T, shell string) string {
	t.Helper()
	p, err := newParser("prog-one", "", &command{})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	p.Stdout = &text
	if !p.complete([]string{"completion", shell}) {
		t.Fatal("no script")
	}
	return text.String()
}

// TestBashCompletion presses the key.
func TestBashCompletion(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	script := scriptFor(t, "bash")
	for line, want := range map[string]string{
		"s":                    "signal serve",
		"serve --m":            "--max-size",
		"serve --log=":         "",
		"--st":                 "--state-dir",
		"serve --max-size ":    "", // a number is to be typed
		"serve --list":         "--listen",
		"plain --fail x --ti":  "--times",
		"serve nothing --hook": "--hook",
	} {
		words := append([]string{"prog-one"}, strings.Split(line, " ")...)
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = quote(w)
		}
		press := script + "\nCOMP_WORDS=(" + strings.Join(quoted, " ") + "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _prog_one; echo \"${COMPREPLY[*]}\""
		cmd := exec.Command(bash, "--norc", "-uc", press)
		cmd.Env = append(os.Environ(), "LC_ALL=C") // it warns of a locale that is not there
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", line, got, err, want)
		}
	}
}

// The other shells say whether they understand the scripts.
func TestCompletionsAreUnderstood(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script := scriptFor(t, shell)
		if !strings.Contains(script, "max-size") || strings.Contains(script, "${default}") {
			t.Errorf("%s: got\n%s", shell, script)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			if os.Getenv("CI") == "true" {
				t.Errorf("%s is missing; testscripts/prepare.sh installs it", shell)
			}
			continue
		}
		file := filepath.Join(t.TempDir(), "script")
		if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(path, "-n", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
}
