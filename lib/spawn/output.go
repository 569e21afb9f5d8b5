package spawn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxLine is the longest line of an app that is passed on whole, in bytes.
	maxLine = 1 << 20

	// tailLines is how many of an app's last lines are kept for reports, each
	// cut to tailLine bytes.
	tailLines = 200
	tailLine  = 4 << 10

	// keepBuffer is the largest buffer that is kept for the next line.
	keepBuffer = 64 << 10

	// pipeSize is how much an app can write while nobody reads.
	pipeSize = 1 << 20
)

// An output reads what one process writes, passes it on a whole line at a
// time, and keeps the last lines.
type output struct {
	fifo   *os.File // nonblocking
	prefix string
	sink   io.Writer
	done   chan struct{} // closed when the last line was passed on

	batch []byte // lines to pass on in one Write

	mu   sync.Mutex // guards tail
	tail []string
}

// makeOutput makes the FIFO. It belongs to the user that the process will run
// as, who so can open /dev/stdout again.
func makeOutput(path string, uid int) error {
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

// readOutput starts to read the FIFO at path. Each line goes to sink with
// prefix before it, and a Write holds whole lines.
func readOutput(path, prefix string, sink io.Writer) (*output, error) {
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
	o := &output{fifo: fifo, prefix: prefix, sink: sink, done: make(chan struct{})}
	go o.run()
	return o, nil
}

func (o *output) run() {
	defer close(o.done)
	defer o.fifo.Close()
	buf := make([]byte, 32<<10)
	var part []byte
	for {
		n, err := o.fifo.Read(buf)
		part = o.lines(append(part, buf[:n]...))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			part = o.drain(buf, part)
			break
		}
		if err != nil {
			break
		}
		if len(part) == 0 && cap(part) > keepBuffer {
			part = nil
		}
	}
	if len(part) > 0 {
		o.line(part)
		o.flush()
	}
}

// drain reads what is in the FIFO without waiting for more.
func (o *output) drain(buf, part []byte) []byte {
	raw, err := o.fifo.SyscallConn()
	if err != nil {
		return part
	}
	_ = raw.Control(func(fd uintptr) { // fails only if the file is closed
		for total := 0; total < 2*pipeSize; {
			n, err := unix.Read(int(fd), buf)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if n <= 0 {
				return
			}
			total += n
			part = o.lines(append(part, buf[:n]...))
		}
	})
	return part
}

// lines passes on the whole lines in b and returns the rest.
func (o *output) lines(b []byte) []byte {
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		o.line(b[:i])
		b = b[i+1:]
	}
	for len(b) >= maxLine {
		o.line(b[:maxLine])
		b = b[maxLine:]
	}
	o.flush()
	return b
}

// flush passes the batch on.
func (o *output) flush() {
	if len(o.batch) == 0 {
		return
	}
	_, _ = o.sink.Write(o.batch) // our own stderr is gone; nobody is left to tell
	o.batch = o.batch[:0]
	if cap(o.batch) > keepBuffer {
		o.batch = nil
	}
}

func (o *output) line(b []byte) {
	b = bytes.TrimSuffix(b, []byte("\r"))
	o.batch = append(append(append(o.batch, o.prefix...), b...), '\n')
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.tail) == tailLines {
		o.tail = append(o.tail[:0], o.tail[1:]...)
	}
	o.tail = append(o.tail, string(b[:min(len(b), tailLine)]))
}

// finish reads what is left of a process that has ended, and stops reading.
func (o *output) finish() {
	if o.fifo.SetReadDeadline(time.Now()) != nil {
		o.fifo.Close()
	}
	<-o.done
}

// last returns the last lines.
func (o *output) last() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string{}, o.tail...)
}
