package dist_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What "make install" puts in place is enough to serve the demo: its program,
// and the directory that names it.
func TestInstallHasTheDemo(t *testing.T) {
	t.Parallel()
	c := exec.Command("make", "-n", "install", "DESTDIR=/image", "PREFIX=/usr", "BIN=/built")
	c.Dir = "../.."
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"/built/passenger-demo /image/usr/bin\n", "lib/dist/demo/Passengerfile.json /image/usr/share/passenger/demo/Passengerfile.json\n", "/image/usr/share/passenger/certbot/passenger\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("got no %q in\n%s", want, out)
		}
	}
}

// Every directory that package/share names is installed, programs as such.
func TestInstallHasTheRulesAndExamples(t *testing.T) {
	t.Parallel()
	names, err := os.ReadFile("package/share")
	if err != nil {
		t.Fatal(err)
	}
	image := t.TempDir()
	c := exec.Command("make", "-o", "build", "install", "DESTDIR="+image, "PREFIX=/usr", "BIN="+fakeBuild(t))
	c.Dir = "../.."
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range strings.Fields(string(names)) {
		err := filepath.WalkDir(name, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			was, err := os.Stat(path)
			if err != nil {
				return err
			}
			is, err := os.Stat(filepath.Join(image, "usr/share/passenger", path))
			if err != nil {
				return err
			}
			if was.Mode()&0o100 != is.Mode()&0o100 {
				t.Errorf("%s: got mode %v, want %v", path, is.Mode(), was.Mode())
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// fakeBuild is a directory with what make build makes, empty.
func fakeBuild(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	for _, name := range []string{"passenger", "passenger-config", "passenger-spawn", "passenger-pool", "passenger-proxy", "passenger-status", "passenger-demo"} {
		if err := os.WriteFile(filepath.Join(bin, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}
