package testscripts

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdExits runs a program and wants an exact exit status of it, which exec
// cannot say: exits STATUS PROGRAM ARGS…
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARGS…")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("%s exited with status %d, want %s", args[1], got, args[0])
	}
}

// ports are what scripts were given, as far as they run still.
var ports struct {
	mu    sync.Mutex // guards given
	given map[int]bool
}

// Ports for scripts are below those that the system gives to connections, and
// below those that a spawner gives to apps: some time passes until a script's
// daemon listens, and other scripts make 20,000 connections meanwhile.
const (
	lowestPort  = 10000
	highestPort = 30000
)

// cmdPort puts the number of a port that is free on the loopback into a
// variable. For what cannot listen on a unix socket: port VAR
func cmdPort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: port VAR")
	}
	ports.mu.Lock()
	defer ports.mu.Unlock()
	for range 1000 {
		n := lowestPort + rand.IntN(highestPort-lowestPort)
		if ports.given[n] || !free(n) {
			continue
		}
		if ports.given == nil {
			ports.given = map[int]bool{}
		}
		ports.given[n] = true
		ts.Defer(func() {
			ports.mu.Lock()
			defer ports.mu.Unlock()
			delete(ports.given, n)
		})
		ts.Setenv(args[0], strconv.Itoa(n))
		return
	}
	ts.Fatalf("of a thousand ports none is free")
}

// free says that nothing listens on a port, on any address.
func free(port int) bool {
	l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// cmdAwaitStdout runs a program again and again until what it prints matches:
// await-stdout REGEXP PROGRAM ARGS…
func cmdAwaitStdout(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await-stdout REGEXP PROGRAM ARGS…")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	ts.Check(eventually("output of "+args[1], func() error {
		cmd := exec.Command("env", args[1:]...) // which looks in the script's PATH
		cmd.Dir = ts.MkAbs(".")
		cmd.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH"), "PASSENGER_STATE_DIR="+ts.Getenv("PASSENGER_STATE_DIR"))
		out, err := cmd.Output()
		if err == nil && !pattern.Match(out) {
			err = fmt.Errorf("no match for %q in\n%s", pattern, out)
		}
		return err
	}))
}
