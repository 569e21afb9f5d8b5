package testscripts

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// distros lets the scripts in distros/ run, too.
var distros = flag.Bool("distros", false, "run the scripts of distros/, whose applications only the chroots have")

// visitBound is how long a visitor may take for one thing.
const visitBound = 2 * time.Minute

// errNothingToDo is a check of what an app does not have.
var errNothingToDo = errors.New("the app has nothing of the kind")

// A visitor is a program in Python, on distros/browser.py, that does with an
// app what its users do. It is asked for one thing at a time, which is a column
// of the table, or work: what goes on while the processes are replaced. It
// exits with status 77 if its app has nothing of the kind.
type visitor struct {
	program string
	web     string // the proxy's socket
}

func (v *visitor) visit(what string) error {
	if v == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), visitBound)
	defer cancel()
	here, err := filepath.Abs("distros")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", v.program, v.web, what)
	cmd.Dir = filepath.Dir(v.program)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+here, "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 77 {
		return errNothingToDo
	}
	if err != nil {
		return fmt.Errorf("the visitor: %w\n%s", err, out)
	}
	return nil
}
