// Package output reads what application processes write and passes it on:
// whole lines, those of one stream in their order. A process never waits for a slow
// reader of its output: what the reader cannot take in time is dropped and counted.
package output

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Stream is one of a process's two.
type Stream string

const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)

// A Source names the process that wrote a line.
type Source struct {
	App         string
	Environment string // such as "production"
	ID          string // of the process
	Generation  int
	PID         int
	ProcessType string // of a side process, empty for one that serves

	pending atomic.Int64 // bytes that wait in a Log
}

// A Sink takes lines. text is whole lines, each with its newline, and the
// sink's only until it returns. It does not wait.
type Sink interface {
	Lines(from *Source, stream Stream, text []byte)
}

const (
	// maxLine is the longest line that is passed on whole, in bytes.
	maxLine = 1 << 20

	// tailLines is how many of a process's last lines are kept for reports,
	// each cut to tailLine bytes.
	tailLines = 200
	tailLine  = 4 << 10

	// keepBuffer is the largest buffer that is kept for the next line.
	keepBuffer = 64 << 10

	// pipeSize is how much an app can write while no spawner reads.
	pipeSize = 1 << 20
)

// MakeFIFO makes a FIFO for one stream. It belongs to the user that the process
// will run as, who so can open /dev/stdout again.
func MakeFIFO(path string, uid int) error {
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return fmt.Errorf("make output FIFO %s: %w", path, err)
	}
	if uid == os.Geteuid() {
		return nil
	}
	if err := os.Lchown(path, uid, -1); err != nil { // the directory is ours alone to change
		return fmt.Errorf("make output FIFO: %w", err)
	}
	return nil
}

// Process is the output of one process.
type Process struct {
	readers []*reader

	mu   sync.Mutex // guards the fields below
	tail []Line     // a ring once it is full
	next int        // where the next line goes then, which is where the oldest is
}

// A Line is one that a process wrote, perhaps cut.
type Line struct {
	At     time.Time `json:"at"`
	Stream Stream    `json:"stream"`
	Text   string    `json:"text"`
}

// Read reads the process's FIFOs until Finish.
func Read(stdout, stderr string, from *Source, sink Sink) (*Process, error) {
	p := &Process{}
	for _, f := range []struct {
		path   string
		stream Stream
	}{{stdout, Stdout}, {stderr, Stderr}} {
		fifo, err := openFIFO(f.path)
		if err != nil {
			p.Finish()
			return nil, err
		}
		r := &reader{fifo: fifo, from: from, stream: f.stream, sink: sink, keep: p.keep, done: make(chan struct{})}
		p.readers = append(p.readers, r)
		go r.run()
	}
	return p, nil
}

func openFIFO(path string) (*os.File, error) {
	fifo, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open output FIFO: %w", err)
	}
	if raw, err := fifo.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			// Over the user's limit the kernel refuses, and 64 KB must do.
			_, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize)
		})
	}
	return fifo, nil
}

// keep adds a line to the last ones.
func (p *Process) keep(stream Stream, at time.Time, line []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := Line{at, stream, string(line[:min(len(line), tailLine)])}
	if len(p.tail) < tailLines {
		p.tail = append(p.tail, kept)
		return
	}
	p.tail[p.next] = kept
	p.next = (p.next + 1) % tailLines
}

// Finish passes on what can be read without waiting, a last line without its
// newline too, and stops to read.
func (p *Process) Finish() {
	for _, r := range p.readers {
		r.finish()
	}
}

// Last returns the last lines, those of both streams as they came.
func (p *Process) Last() []Line {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(append([]Line{}, p.tail[p.next:]...), p.tail[:p.next]...)
}
