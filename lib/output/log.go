package output

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// maxPending is how much of a log may wait for its writer, in bytes, and
	// maxPendingOf how much of it may be one process's. What comes beyond is
	// dropped, so that one that floods costs the others nothing.
	maxPending   = 8 << 20
	maxPendingOf = 2 << 20
)

// A Log writes lines to a file or pipe that may be slow, or not read at all. The
// goroutine that gives it lines never waits. It is a Sink, and a writer for our
// own log.
type Log struct {
	format Format
	limit  limit

	// journal takes the lines of apps as entries with fields, one each; nil for
	// none. It is set before the log is used.
	journal io.Writer

	mu      sync.Mutex // guards the fields below
	changed *sync.Cond // there is something to write, or the log is to close
	w       io.Writer
	queue   []batch
	pending int    // bytes in the queue, and of the one that is written
	dropped uint64 // lines, in all
	told    uint64 // of those, the ones that the log itself speaks of
	failed  error  // of the last write
	closing bool
	waiting []chan struct{} // closed when nothing is pending
	idle    chan struct{}   // closed when the queue is written and the log closes
}

type batch struct {
	from *Source // nil for our own
	text []byte
}

// NewLog returns a log that writes to w.
func NewLog(w io.Writer, format Format) *Log {
	l := &Log{format: format, w: w, idle: make(chan struct{})}
	l.changed = sync.NewCond(&l.mu)
	go l.run()
	return l
}

// Limit keeps every app to a rate. Call it before the log is used.
func (l *Log) Limit(r Rate) { l.limit.rate = r }

// ToJournal has the lines of apps sent as entries of systemd's journal, by its
// native protocol. Our own log, which goes there by standard error, stays as it
// is. Call it before the log is used.
func (l *Log) ToJournal(journal io.Writer) { l.journal = journal }

// Limited is how many lines of each app were dropped for being over the rate.
func (l *Log) Limited() map[string]uint64 { return l.limit.dropped() }

// Lines takes what a process wrote.
func (l *Log) Lines(from *Source, stream Stream, text []byte) {
	now := time.Now()
	text, tell := l.limit.take(from.App, now, text)
	if tell != "" {
		l.put(batch{nil, l.own(now, tell)}, 1)
	}
	if len(text) == 0 {
		return
	}
	var formatted []byte
	lines := 0
	if l.journal != nil {
		for line := range bytes.SplitSeq(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
			for _, entry := range entries(from, stream, line) {
				l.put(batch{from, entry}, 1)
			}
		}
		return
	}
	for line := range bytes.SplitSeq(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
		formatted = l.format.line(formatted, from, stream, now, line)
		lines++
	}
	l.put(batch{from, formatted}, lines)
}

// own is a line of the log itself.
func (l *Log) own(at time.Time, text string) []byte {
	if l.journal != nil {
		return fmt.Appendf(nil, "<%c>%s\n", priorityWarning, text)
	}
	return l.format.own(nil, at, text)
}

// Write takes a line of our own log. It never fails.
func (l *Log) Write(b []byte) (int, error) {
	l.put(batch{nil, bytes.Clone(b)}, 1)
	return len(b), nil
}

func (l *Log) put(b batch, lines int) {
	size := len(b.text)
	l.mu.Lock()
	defer l.mu.Unlock()
	over := b.from != nil && b.from.pending.Load()+int64(size) > maxPendingOf
	if over || l.pending+size > maxPending {
		l.dropped += uint64(lines)
		return
	}
	l.pending += size
	if b.from != nil {
		b.from.pending.Add(int64(size))
	}
	l.queue = append(l.queue, b)
	l.changed.Signal()
}

// run writes the queue.
func (l *Log) run() {
	defer close(l.idle)
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for len(l.queue) == 0 {
			if l.closing {
				return
			}
			l.changed.Wait()
		}
		batches, w := l.queue, l.w
		l.queue = nil
		l.mu.Unlock()
		var failed error
		for _, b := range batches {
			if err := l.write(w, b); err != nil {
				failed = err
			}
			l.written(b)
		}
		l.mu.Lock()
		l.settle(failed)
	}
}

// write writes a batch where it belongs. What the journal does not take goes to
// our own log's place, fields and all, rather than nowhere.
func (l *Log) write(w io.Writer, b batch) error {
	if b.from != nil && l.journal != nil {
		if _, err := l.journal.Write(b.text); err == nil {
			return nil
		}
	}
	_, err := w.Write(b.text)
	return err
}

func (l *Log) written(b batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending -= len(b.text)
	if b.from != nil {
		b.from.pending.Add(-int64(len(b.text)))
	}
}

// settle remembers how the writes went, and speaks of the lines that were
// dropped once something can be written again.
func (l *Log) settle(failed error) {
	l.failed = failed
	if len(l.queue) == 0 {
		for _, c := range l.waiting {
			close(c)
		}
		l.waiting = nil
	}
	if l.dropped == l.told || failed != nil {
		return
	}
	text := l.own(time.Now(), fmt.Sprintf("%d lines of output were dropped: the log was not written as fast as they came", l.dropped-l.told))
	l.told = l.dropped
	l.pending += len(text)
	l.queue = append(l.queue, batch{nil, text})
}

// Dropped is how many lines were.
func (l *Log) Dropped() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

// Err is why the last write failed, nil if it did not.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// Reopen has what comes from now on written to w, and returns what was written
// to before.
func (l *Log) Reopen(w io.Writer) io.Writer {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.w
	l.w = w
	return was
}

// Flush returns when everything that waits is written, or after patience.
func (l *Log) Flush(patience time.Duration) {
	written := make(chan struct{})
	l.mu.Lock()
	if l.pending == 0 {
		l.mu.Unlock()
		return
	}
	l.waiting = append(l.waiting, written)
	l.mu.Unlock()
	select {
	case <-written:
	case <-time.After(patience):
	}
}

// Close returns when everything is written, or after patience.
func (l *Log) Close(patience time.Duration) {
	l.mu.Lock()
	l.closing = true
	l.changed.Signal()
	l.mu.Unlock()
	select {
	case <-l.idle:
	case <-time.After(patience):
	}
}
