package gate

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"passenger/lib/proc"
	"passenger/lib/spawn/environ"
	"passenger/lib/spawn/survey"
)

// Reached says whether args, with the program's name first, are the command line
// of a process at its gate. If so, the program calls [Pass] before anything
// else: every start of a process waits for whatever it does besides.
func Reached(args []string) bool {
	return len(args) > 4 && args[1] == "exec" && args[2] == "--gate"
}

// Pass is the process's side: it waits for the order, changes what that says,
// sets LISTEN_PID and becomes the command, which inherits the descriptors below
// [FD] and no others. If it returns, it could not, and has told the spawner why.
func Pass(args []string) error {
	signal.Ignore(unix.SIGQUIT) // it asks what a process does, which this one cannot say
	if err := unix.CloseRange(FD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		unix.CloseOnExec(FD) // Linux before 5.11
	}
	g := os.NewFile(FD, "gate")
	o, err := readOrder(g)
	if err != nil {
		return err
	}
	if o.Expected != nil {
		if o, err = confirmExpected(g, o.Expected); err != nil {
			return err
		}
	}
	if o.run(g) {
		return nil
	}
	err = o.Change.Apply()
	var more environ.Added
	if err == nil {
		more, err = o.Env.Read(o.Change.Dir)
	}
	if err == nil && len(more.Env) > 0 {
		err = json.NewEncoder(g).Encode(Answer{Added: more})
	}
	if err == nil {
		proc.RestoreSignals()
		if o.IgnoreQuit {
			signal.Ignore(unix.SIGQUIT)
		}
		env := append(o.Env.Merge(os.Environ(), more.Env), "LISTEN_PID="+strconv.Itoa(os.Getpid()))
		err = proc.Exec(args[4:], env)
	}
	return errors.Join(err, json.NewEncoder(g).Encode(refusal(err)))
}

func readOrder(g io.Reader) (o Order, err error) {
	var length [4]byte
	if _, err := io.ReadFull(g, length[:]); err != nil {
		return o, errors.New("the spawner is gone")
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxOrder {
		return o, fmt.Errorf("an order of %d bytes is too long", n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(g, text); err != nil {
		return o, errors.New("the spawner is gone")
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return o, fmt.Errorf("order: %w", err)
	}
	return o, nil
}

// refusal is the answer for an error.
func refusal(err error) Answer {
	a := Answer{Category: CategoryOther, Error: err.Error()}
	var blocked *proc.BlockedError
	var file *environ.SourceError
	switch {
	case errors.As(err, &blocked):
		a.Category = CategoryPermission
		a.Error = blocked.Error()
		a.Advice = fmt.Sprintf("let the user in: chmod o+x %s, or give the directory to one of its groups", blocked.Directory)
	case errors.As(err, &file):
		a.Category = CategoryConfig
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		a.Category = CategoryPermission
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOEXEC), errors.Is(err, exec.ErrNotFound):
		a.Category = CategoryCommand
	}
	return a
}

// confirmExpected looks whether the expectation holds, and returns the order that
// comes next.
func confirmExpected(g *os.File, e *survey.Expectation) (Order, error) {
	if !e.Holds() {
		_, _ = g.Write([]byte{changed}) // else the spawner is gone
		return Order{}, survey.ErrChanged
	}
	if _, err := g.Write([]byte{confirmed}); err != nil {
		return Order{}, errors.New("the spawner is gone")
	}
	return readOrder(g)
}
