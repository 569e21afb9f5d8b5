package dist_test

import (
	"os/exec"
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
