package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"

	"passenger/lib/visible"
)

// A look is how the log is written as text, which depends on who reads it.
type look int

const (
	plainLook    look = iota // a file or a pipe: all is named, in full
	terminalLook             // a person at a terminal: a short time, no key for the message
	colourLook               // the same with colours
	journalLook              // the journal: its own time, and priorities of syslog
)

// lookFor chooses the look of what is written to f.
func lookFor(f *os.File) look {
	switch {
	case isJournal(f, os.Getenv("JOURNAL_STREAM")):
		return journalLook
	case !isatty.IsTerminal(f.Fd()):
		return plainLook
	case os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb":
		return terminalLook
	}
	return colourLook
}

// isJournal says that f is the stream that systemd connected to its journal,
// and not one that took its place since.
func isJournal(f *os.File, stream string) bool {
	var st unix.Stat_t
	return stream != "" && unix.Fstat(int(f.Fd()), &st) == nil && stream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// textHandler writes the log as text that looks so.
func textHandler(w io.Writer, l look, level slog.Level) slog.Handler {
	if l == plainLook {
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
	}
	out := &lineWriter{w: w, look: l}
	// The facts are left to slog, which knows when to quote.
	facts := slog.NewTextHandler(&out.facts, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
			return slog.Attr{}
		}
		return a
	}})
	return &lineHandler{facts, out}
}

// A lineHandler puts a head before the facts of a record. Handlers that are
// made of it write to the same place.
type lineHandler struct {
	slog.Handler // writes the facts to out
	out          *lineWriter
}

type lineWriter struct {
	mu    sync.Mutex // guards facts and w
	facts bytes.Buffer
	w     io.Writer
	look  look
}

func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &lineHandler{h.Handler.WithAttrs(attrs), h.out}
}

func (h *lineHandler) WithGroup(name string) slog.Handler {
	return &lineHandler{h.Handler.WithGroup(name), h.out}
}

func (h *lineHandler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.facts.Reset()
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	facts := strings.TrimSuffix(h.out.facts.String(), "\n")
	line := h.out.look.head(r)
	if facts != "" {
		line += " " + facts
	}
	_, err := io.WriteString(h.out.w, line+"\n")
	return err
}

// head is a record without its facts.
func (l look) head(r slog.Record) string {
	message := visible.Line(r.Message)
	if l == journalLook {
		return fmt.Sprintf("<%d>%s", priority(r.Level), message)
	}
	clock, level := r.Time.Local().Format("15:04:05"), fmt.Sprintf("%-5s", r.Level)
	if l == colourLook {
		clock, level = "\x1b[2m"+clock+"\x1b[0m", colour(r.Level)+level+"\x1b[0m"
	}
	return clock + " " + level + " " + message
}

// priority is that of syslog(3).
func priority(level slog.Level) int {
	switch {
	case level >= slog.LevelError:
		return 3
	case level >= slog.LevelWarn:
		return 4
	case level >= slog.LevelInfo:
		return 6
	}
	return 7
}

func colour(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "\x1b[1;31m"
	case level >= slog.LevelWarn:
		return "\x1b[33m"
	case level >= slog.LevelInfo:
		return "\x1b[32m"
	}
	return "\x1b[2m"
}
