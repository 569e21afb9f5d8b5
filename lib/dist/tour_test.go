package dist_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestTour does what the README's tour of the four programs says, line by
// line: daemons go into the background, everything else has to succeed.
func TestTour(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	script := "set -e\n"
	for _, line := range tour(t) {
		command, _, _ := strings.Cut(line, " #")
		command = strings.TrimSpace(command)
		switch fields := strings.Fields(command); {
		case len(fields) > 1 && fields[1] == "serve":
			daemon := strings.TrimPrefix(fields[0], "passenger-")
			script += command + " &\nuntil [ -S $PASSENGER_STATE_DIR/" + daemon + ".sock ]; do sleep 0.02; done\n"
			if daemon == "proxy" {
				script += "until curl -sf http://ADDRESS/ >/dev/null; do sleep 0.02; done\n"
			}
		case command != "" && !strings.HasPrefix(command, "export "):
			script += "echo '# " + command + "'\n" + command + "\n"
		}
	}
	script += "kill -TERM $(cat $PASSENGER_STATE_DIR/proxy.lock $PASSENGER_STATE_DIR/pool.lock $PASSENGER_STATE_DIR/spawn.lock)\nwait\n"
	address := freeAddress(t)
	script = strings.NewReplacer("127.0.0.1:3000", address, "ADDRESS", address).Replace(script)

	dir, err := os.MkdirTemp("/tmp", "tour") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	bin := build(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "PASSENGER_STATE_DIR="+filepath.Join(dir, "s"),
		"PASSENGER_POOL_MAX_POOL_SIZE=6") // the default depends on the processors that a cgroup leaves
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// The group has the daemons, too; the spawner stops the app.
	stop := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.Cancel, cmd.WaitDelay = stop, patience
	out, err := cmd.CombinedOutput()
	_ = stop() // nothing is left of it if all went well
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	for _, want := range []string{"<title>It works</title>", "passenger-pool", "ready", `"max_pool_size":6`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("got no %q in\n%s", want, out)
		}
	}
}

// tour returns the lines of the code under the README's heading.
func tour(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(b), "## The four programs by hand\n")
	section, _, _ = strings.Cut(section, "\nNow kill one")
	var lines []string
	for line := range strings.Lines(section) {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			lines = append(lines, strings.TrimRight(code, "\n"))
		}
	}
	if !found || len(lines) < 8 {
		t.Fatalf("got %q, want the lines of the tour", lines)
	}
	return lines
}

// build builds the four programs and the demo.
func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	for target, pkg := range map[string]string{bin + "/": "../../cmd/...", bin + "/passenger-demo": "./demo"} {
		if out, err := exec.Command("go", "build", "-o", target, pkg).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return bin
}

// freeAddress returns an address at which nothing listens, with a port that the
// system gives to nobody who asks for any: those begin at 32768.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 4000+rand.IntN(6000))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("of a hundred ports none is free")
	return ""
}
