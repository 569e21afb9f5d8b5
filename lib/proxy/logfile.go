package proxy

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	logFlush = 32 << 10 // write once this much has gathered
	logMost  = 1 << 20  // drop lines rather than gather more
	logEvery = time.Second
)

// A LogFile gathers lines and writes them by a goroutine of its own, so that
// nobody who logs waits for a disk. Lines that find it full are dropped, and
// counted in the log.
type LogFile struct {
	path string // empty for standard error

	mu    sync.Mutex // guards lines
	lines []byte

	missing atomic.Uint64 // lines that were not written
	told    uint64        // how many of them were logged

	file   *os.File
	full   chan struct{} // has room for one: write now
	reopen chan chan<- error
	spare  []byte
	failed time.Time // when a failure was logged last
}

// OpenLog opens the file at path for appending, or standard error if path is
// empty. Run writes to it.
func OpenLog(path string) (*LogFile, error) {
	l := &LogFile{path: path, file: os.Stderr, full: make(chan struct{}, 1), reopen: make(chan chan<- error)}
	if path == "" {
		return l, nil
	}
	var err error
	l.file, err = openLog(path)
	return l, err
}

func openLog(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
}

// Reopen has Run open the file anew, since it was moved away, and waits for
// that. If it cannot be opened the old file goes on.
func (l *LogFile) Reopen(ctx context.Context) error {
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

// add appends what f appends.
func (l *LogFile) add(f func([]byte) []byte) {
	l.mu.Lock()
	if len(l.lines) > logMost {
		l.mu.Unlock()
		l.missing.Add(1)
		return
	}
	l.lines = f(l.lines)
	full := len(l.lines) >= logFlush
	l.mu.Unlock()
	if full {
		select {
		case l.full <- struct{}{}:
		default:
		}
	}
}

// Run writes the lines until ctx ends, and then the last of them.
func (l *LogFile) Run(ctx context.Context) {
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

func (l *LogFile) flush() {
	l.mu.Lock()
	lines := l.lines
	l.lines = l.spare[:0]
	l.mu.Unlock()
	l.spare = lines
	if len(lines) > 0 {
		if n, err := l.file.Write(lines); err != nil {
			l.missing.Add(uint64(bytes.Count(lines[n:], []byte{'\n'})))
			l.complain("could not write the access log", "err", err)
		}
	}
	if n := l.missing.Load(); n > l.told && l.complain("requests are missing in the access log", "missing", n-l.told) {
		l.told = n
	}
}

// openAgain keeps the old file if the new one cannot be had.
func (l *LogFile) openAgain() error {
	if l.path == "" {
		return nil
	}
	f, err := openLog(l.path)
	if err != nil {
		return fmt.Errorf("access log not reopened; the old one goes on: %w", err)
	}
	_ = l.file.Close() // what was written is written
	l.file = f
	return nil
}

// complain logs at most once a minute, and says whether it did.
func (l *LogFile) complain(message string, facts ...any) bool {
	if time.Since(l.failed) < time.Minute {
		return false
	}
	l.failed = time.Now()
	slog.Error(message, facts...)
	return true
}
