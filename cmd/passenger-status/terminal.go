package main

import (
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"

	"passenger/lib/status"
)

// Sequences that every terminal since the VT100 and xterm knows. The alternate
// screen has no scrollback, and leaves what was on the other as it was.
const (
	alternateScreen = "\x1b[?1049h\x1b[?25l" // and no cursor
	ordinaryScreen  = "\x1b[?25h\x1b[?1049l"
	home            = "\x1b[H"
	clearLine       = "\x1b[2K"
	clearBelow      = "\x1b[J"
)

// A terminal shows one status in the place of the one before.
type terminal struct {
	f *os.File

	mu    sync.Mutex // guards what is on the screen
	aside bool       // the program is stopped, or about to end
}

// newTerminal is nil if f is none that can be drawn on.
func newTerminal(f *os.File) *terminal {
	if !isatty.IsTerminal(f.Fd()) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return &terminal{f: f}
}

func (t *terminal) enter() { t.switchTo(alternateScreen, false) }
func (t *terminal) leave() { t.switchTo(ordinaryScreen, true) }

func (t *terminal) switchTo(screen string, aside bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.aside = aside
	_, _ = t.f.WriteString(screen) // draw tells if the terminal is gone
}

// stepAside gives the terminal back while the program is stopped with ^Z, until
// end is called.
func (t *terminal) stepAside() (end func()) {
	stops, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(stops, syscall.SIGTSTP)
	go func() {
		defer close(done)
		for range stops {
			if orphaned() {
				continue
			}
			t.leave()
			stop()
			t.enter()
		}
	}()
	return func() {
		signal.Stop(stops)
		close(stops)
		<-done
	}
}

// orphaned says that no shell could continue us. The kernel does not stop such
// a process on ^Z either.
func orphaned() bool {
	parent := os.Getppid()
	session, err := unix.Getsid(parent)
	own, _ := unix.Getsid(0) // of ourselves these do not fail
	group, _ := unix.Getpgid(parent)
	return err != nil || session != own || group == unix.Getpgrp()
}

// stop stops the program, and returns when it continues. It is SIGSTOP since
// the runtime gives SIGTSTP no default back that it once took; and to the
// calling thread, for which it has its effect before the call returns.
func stop() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Tgkill(unix.Getpid(), unix.Gettid(), syscall.SIGSTOP) // it is ourselves
}

// draw shows the status, cut to the size that the terminal has now.
func (t *terminal) draw(st status.Status) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.aside {
		return nil
	}
	look := style()
	look.Width, look.Height = t.size()
	text := st.Screen(look)
	if strings.Count(text, "\n")+1 < look.Height {
		text += "\n" + clearBelow
	}
	// Each line is cleared before it is written: after one of full width the
	// cursor still stands on its last character.
	_, err := t.f.WriteString(home + clearLine + strings.ReplaceAll(text, "\n", "\r\n"+clearLine))
	return err
}

// size is in columns and lines, 80×24 if the terminal does not tell.
func (t *terminal) size() (width, height int) {
	ws, err := unix.IoctlGetWinsize(int(t.f.Fd()), unix.TIOCGWINSZ)
	if err != nil || ws.Col == 0 || ws.Row == 0 {
		return 80, 24
	}
	return int(ws.Col), int(ws.Row)
}
