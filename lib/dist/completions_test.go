package dist_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Each shell reads the file of each program that packages and "make install" put
// in its place, and completes a word by it.
func TestShellsUnderstandTheCompletions(t *testing.T) {
	t.Parallel()
	share := t.TempDir()
	c := exec.Command("package/completions.sh", share)
	if path, err := filepath.Abs("package/completions.sh"); err == nil {
		c.Path, c.Dir = path, "../.."
	}
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, tt := range []struct{ shell, folder, before, after string }{
		{"bash", "bash-completion/completions", "", ""},
		{"zsh", "zsh/vendor-completions", "_", ""},
		{"fish", "fish/vendor_completions.d", "", ".fish"},
	} {
		shell, err := exec.LookPath(tt.shell)
		if err != nil {
			if os.Getenv("CI") == "true" {
				t.Errorf("%s is missing; testscripts/prepare.sh installs it", tt.shell)
			}
			continue
		}
		for _, program := range []string{"passenger", "passenger-config", "passenger-spawn", "passenger-pool", "passenger-proxy", "passenger-status"} {
			file := filepath.Join(share, tt.folder, tt.before+program+tt.after)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Error(err)
				continue
			}
			if out, err := exec.Command(shell, "-n", file).CombinedOutput(); err != nil || len(text) < 500 {
				t.Errorf("%s does not understand %s (%d bytes): %v\n%s", tt.shell, file, len(text), err, out)
			}
		}
	}
	press(t, share, "passenger st", "start stop status")
	press(t, share, "passenger start --tls-", "--tls-port")
	press(t, share, "passenger-config re", "restart-app reopen-logs")
	press(t, share, "passenger-config restart-app --i", "--ignore-app-not-running --ignore-passenger-not-running --instance=")
}

// press has bash complete the last word of a line.
func press(t *testing.T, share, line, want string) {
	t.Helper()
	program, _, _ := strings.Cut(line, " ")
	script := `. "$1/bash-completion/completions/$2"; read -ra COMP_WORDS <<<"$3"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); "_${2//-/_}"; echo "${COMPREPLY[*]}"`
	cmd := exec.Command("bash", "--norc", "-c", script, "bash", share, program, line)
	cmd.Env = append(os.Environ(), "LC_ALL=C") // it warns of a locale that is not there
	out, err := cmd.CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != want {
		t.Errorf("%q: got %q, %v, want %q", line, got, err, want)
	}
}
