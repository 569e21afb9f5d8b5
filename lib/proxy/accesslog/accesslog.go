// Package accesslog writes a line for each request, in the formats that other
// programs read.
package accesslog

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"passenger/lib/loglimit"
)

const (
	// logFlush is written as soon as it has gathered. A batch of 256 kB costs a
	// third less than eight of 32: each wakes a thread.
	logFlush = 256 << 10

	logMost  = 4 << 20 // drop lines rather than gather more
	logEvery = time.Second

	// logKept is the room for lines that stays when nothing is written.
	logKept = 16 << 10
)

// A File gathers lines and writes them by a goroutine of its own, so that no
// request waits for a disk. It drops lines that find it full, and the log says how
// many.
type File struct {
	path   string // empty for standard error
	format Format

	mu    sync.Mutex // guards lines and now
	lines []byte
	now   second

	missing atomic.Uint64 // lines that were not written
	told    uint64        // how many of them were logged

	file       *os.File
	full       chan struct{} // has room for one: write now
	reopen     chan chan<- error
	spare      []byte
	complained loglimit.Limiter
}

// Open opens the file at path for appending, or standard error if path is
// empty. Run writes to it.
func Open(path string, format Format) (*File, error) {
	l := &File{path: path, format: format, file: os.Stderr, full: make(chan struct{}, 1), reopen: make(chan chan<- error)}
	if path == "" {
		return l, nil
	}
	var err error
	l.file, err = open(path)
	return l, err
}

func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
}

// Missing is how many lines were not written.
func (l *File) Missing() uint64 { return l.missing.Load() }

// Reopen has Run open the file anew, since it was moved away, and waits for
// that. If it cannot be opened the old file goes on.
func (l *File) Reopen(ctx context.Context) error {
	done := make(chan error, 1) // room for the one answer
	select {
	case l.reopen <- done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Add has r written as a line.
func (l *File) Add(r *Record) {
	l.mu.Lock()
	if len(l.lines) > logMost {
		l.mu.Unlock()
		l.missing.Add(1)
		return
	}
	l.now.set(r.Began)
	l.lines = l.format.append(l.lines, r, &l.now)
	full := len(l.lines) >= logFlush || l.format == Short
	l.mu.Unlock()
	if full {
		select {
		case l.full <- struct{}{}:
		default:
		}
	}
}

// Run writes the lines until ctx ends, and then the last of them.
func (l *File) Run(ctx context.Context) {
	ticker := time.NewTicker(logEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			l.flush()
			if l.path != "" {
				_ = l.file.Close() // what was written is written
			}
			return
		case <-ticker.C:
		case <-l.full:
		case done := <-l.reopen:
			l.flush()
			done <- l.openAgain()
		}
		l.flush()
	}
}

func (l *File) flush() {
	l.mu.Lock()
	lines := l.lines
	l.lines = l.spare[:0]
	l.mu.Unlock()
	if l.spare = lines; cap(lines) > max(logKept, 8*len(lines)) {
		l.spare = nil // the rush is over
	}
	if len(lines) > 0 {
		if n, err := l.file.Write(lines); err != nil {
			l.missing.Add(uint64(bytes.Count(lines[n:], []byte{'\n'})))
			if l.complained.DueAfter(time.Minute) {
				slog.Error("could not write the access log", "err", err)
			}
		}
	}
	if n := l.missing.Load(); n > l.told && l.complained.DueAfter(time.Minute) {
		slog.Error("requests are missing in the access log", "missing", n-l.told)
		l.told = n
	}
}

// openAgain keeps the old file if the new one cannot be had.
func (l *File) openAgain() error {
	if l.path == "" {
		return nil
	}
	f, err := open(l.path)
	if err != nil {
		return fmt.Errorf("access log not reopened; the old one goes on: %w", err)
	}
	_ = l.file.Close() // what was written is written
	l.file = f
	return nil
}
