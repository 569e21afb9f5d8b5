package proxy

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/buffering"
	"passenger/lib/proxy/wire"
)

// errNoRoom says that a body could not be kept on disk.
var errNoRoom = errors.New("no room for the request's body")

// errSpent says that the disk has no room for more of a body.
var errSpent = errors.New("the disk for bodies is spent")

// fillBuffer reads the body to its end before a process is held for it, or so
// far as the disk's shares go: a process is to take the rest as it comes.
//
// A share counts what came and not what was announced: to announce much costs a
// client nothing, and must not send the bodies of others to their processes.
func (r *requestBody) fillBuffer() error {
	c := r.req.client
	s, err := buffering.NewRequest(c.proxy.DataBufferDir, r.lease(buffering.NewLease))
	if err != nil {
		return c.proxy.noRoom(err)
	}
	r.buffer = s
	if err := r.req.sendContinue(); err != nil {
		return err
	}
	err, byClient := r.passBody(func(p []byte, ended bool) error {
		spent, err := s.Add(p)
		if err != nil || spent == nil || ended {
			return err
		}
		r.req.mount.app.diskSpent(c.proxy, spent)
		return errSpent
	})
	if err == errSpent {
		s.Begun, r.req.start = true, r.req.end // what was read is in it
		return nil
	}
	if err != nil && !byClient {
		return c.proxy.noRoom(err)
	}
	return err
}

// noRoom logs why a body could not be kept, at most once a second.
func (p *Proxy) noRoom(err error) error {
	p.unkept.Add(1)
	if p.complained.Due() {
		slog.Error("could not keep a request's body on disk", "dir", p.DataBufferDir, "err", err)
	}
	return fmt.Errorf("%w: %w", errNoRoom, err)
}

// sendBuffer sends the body kept to up. Who asks for the upload to stop does so
// by interrupting the writing.
func (r *requestBody) sendBuffer(up *balance.Upstream) error {
	b := wire.TakeBuffer(wire.Large)
	defer b.Free()
	for at := int64(0); at < r.buffer.Size; {
		n, err := r.buffer.ReadAt(b.B, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF // someone cut the file
		}
		at += int64(n)
		if err := r.passOn(up, b.B[:n], at == r.buffer.Size && !r.buffer.Begun); err != nil {
			return err
		}
		r.upload.moved.Store(r.req.client.Clock.Now.Load())
		if r.upload.stopped.Load() {
			return errStopped
		}
	}
	return nil
}

func (r *requestBody) freeBuffer() {
	if r.buffer != nil {
		r.buffer.Free()
		r.buffer = nil
	}
}
