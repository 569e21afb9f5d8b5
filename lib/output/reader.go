package output

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/bug"
)

// A reader reads one FIFO.
type reader struct {
	fifo   *os.File // nonblocking
	from   *Source
	stream Stream
	sink   Sink
	keep   func(Stream, time.Time, []byte)
	done   chan struct{} // closed when the last line was passed on

	batch []byte    // whole lines to pass on
	at    time.Time // of the last read
}

func (r *reader) run() {
	defer close(r.done)
	defer r.fifo.Close()
	raw, err := r.fifo.SyscallConn()
	if err != nil {
		return // it is closed
	}
	var part []byte
	var flood pace
	for {
		buf, n, err := next(raw)
		r.at = time.Now()
		if wait := flood.wait(r.at, n); wait > 0 {
			time.Sleep(wait)
		}
		part = r.lines(append(part, buf[:n]...))
		buffers.Put(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			part = r.drain(raw, part)
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
		r.line(part)
		r.flush()
	}
}

// A buffer is borrowed while there is something to read. Most processes write
// rarely: a buffer for each of their FIFOs was 128 kB of memory a process.
type buffer [32 << 10]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// next waits for what is written, and returns it in a buffer. It reads once, so
// that what waits for a deadline or for more holds no buffer.
func next(raw syscall.RawConn) (buf *buffer, n int, err error) {
	failed := raw.Read(func(fd uintptr) (done bool) {
		buf = buffers.Get().(*buffer)
		for n, err = unix.Read(int(fd), buf[:]); err == unix.EINTR; {
			n, err = unix.Read(int(fd), buf[:])
		}
		if err == unix.EAGAIN {
			buffers.Put(buf)
			buf = nil
			return false
		}
		return true
	})
	switch {
	case failed != nil:
		err = failed
	case err == nil && n == 0:
		err = io.EOF
	}
	if buf == nil {
		buf = buffers.Get().(*buffer)
	}
	return buf, max(n, 0), err
}

// drain reads what is in the FIFO without waiting for more.
func (r *reader) drain(raw syscall.RawConn, part []byte) []byte {
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	_ = raw.Control(func(fd uintptr) { // fails only if the file is closed
		for total := 0; total < 2*pipeSize; {
			n, err := unix.Read(int(fd), buf[:])
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if n <= 0 {
				return
			}
			total += n
			part = r.lines(append(part, buf[:n]...))
		}
	})
	return part
}

// lines passes on the whole lines in b and returns the rest. A bug in it costs
// b, and not the reader.
func (r *reader) lines(b []byte) (rest []byte) {
	defer bug.Caught(func() { rest = nil })
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		r.line(b[:i])
		b = b[i+1:]
	}
	for len(b) >= maxLine {
		r.line(b[:maxLine])
		b = b[maxLine:]
	}
	r.flush()
	return b
}

// flush passes the batch on.
func (r *reader) flush() {
	if len(r.batch) == 0 {
		return
	}
	r.sink.Lines(r.from, r.stream, r.batch)
	r.batch = r.batch[:0]
	if cap(r.batch) > keepBuffer {
		r.batch = nil
	}
}

func (r *reader) line(b []byte) {
	b = bytes.TrimSuffix(b, []byte("\r"))
	r.batch = append(append(r.batch, b...), '\n')
	r.keep(r.stream, r.at, b)
}

// finish reads what is left of a process that has ended, and stops reading.
func (r *reader) finish() {
	if r.fifo.SetReadDeadline(time.Now()) != nil {
		r.fifo.Close()
	}
	<-r.done
}
