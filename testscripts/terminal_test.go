package testscripts

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// cmdStartAtTerminal starts a daemon whose streams are a terminal, NAME.tty has
// what is written to it: start-at-terminal NAME PROGRAM ARGS…
//
// script(1) would put a shell between, which forks or not as SHELL has it, so that
// a signal ends the shell alone.
func cmdStartAtTerminal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start-at-terminal NAME PROGRAM ARGS…")
	}
	ts.Check(worldOf(ts).startAtTerminal(ts, args[0], args[1:]))
}

func (w *world) startAtTerminal(ts *testscript.TestScript, name string, args []string) error {
	screen, terminal, err := openTerminal()
	if err != nil {
		return err
	}
	defer terminal.Close()
	seen, err := os.Create(filepath.Join(w.work, name+".tty"))
	if err != nil {
		screen.Close()
		return err
	}
	err = w.startAs(ts, name, args, func(cmd *exec.Cmd) {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
		cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	})
	if err != nil {
		screen.Close()
		seen.Close()
		return err
	}
	go func() {
		_, _ = io.Copy(seen, screen) // EIO when nobody has the terminal open any more
		seen.Close()
		screen.Close()
	}()
	return nil
}

// openTerminal opens a pseudoterminal (pty(7)): the side that shows what is written
// to the other one, which is the terminal of a program.
func openTerminal() (screen, terminal *os.File, err error) {
	screen, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(screen.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err == nil {
		terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		screen.Close()
		return nil, nil, fmt.Errorf("open a pseudoterminal: %w", err)
	}
	return screen, terminal, nil
}
