package testscripts

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"

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

// cmdPort puts the number of a port that is free on the loopback into a
// variable. For what cannot listen on a unix socket: port VAR
func cmdPort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: port VAR")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
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
		cmd := exec.Command(args[1], args[2:]...)
		cmd.Dir = ts.MkAbs(".")
		cmd.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH"), "PASSENGER_STATE_DIR="+ts.Getenv("PASSENGER_STATE_DIR"))
		out, err := cmd.Output()
		if err == nil && !pattern.Match(out) {
			err = fmt.Errorf("no match for %q in\n%s", pattern, out)
		}
		return err
	}))
}
