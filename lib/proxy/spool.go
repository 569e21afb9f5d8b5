package proxy

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"passenger/lib/http1"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/buffering"
	"passenger/lib/proxy/wire"
)

// errNoRoom says that a body could not be kept on disk.
var errNoRoom = errors.New("no room for the request's body")

// errSpent says that the disk has no room for more of a body.
var errSpent = errors.New("the disk for bodies is spent")

// fillSpool reads the body to its end before a process is held for it, or so
// far as the disk's shares go: a process is to take the rest as it comes.
//
// A share counts what came and not what was announced: to announce much costs a
// client nothing, and must not send the bodies of others to their processes.
func (x *exchange) fillSpool() error {
	c := x.client
	s, err := buffering.NewRequest(c.proxy.DataBufferDir, x.lease())
	if err != nil {
		return c.proxy.noRoom(err)
	}
	x.spool = s
	if err := x.sendContinue(); err != nil {
		return err
	}
	err, byClient := x.passBody(func(p []byte, ended bool) error {
		spent, err := s.Add(p)
		if err != nil || spent == nil || ended {
			return err
		}
		x.mount.app.diskSpent(c.proxy, spent)
		return errSpent
	})
	if err == errSpent {
		s.Begun, x.start = true, x.end // what was read is in it
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

// sendSpool sends the body kept to up. Who asks for the upload to stop does so
// by interrupting the writing.
func (x *exchange) sendSpool(up *balance.Upstream) error {
	b := wire.TakeBuffer(wire.Large)
	defer b.Free()
	for at := int64(0); at < x.spool.Size; {
		n, err := x.spool.ReadAt(b.B, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF // someone cut the file
		}
		at += int64(n)
		if err := x.passOn(up, b.B[:n], at == x.spool.Size && !x.spool.Begun); err != nil {
			return err
		}
		x.upload.moved.Store(x.client.Clock.Now.Load())
		if x.upload.stopped.Load() {
			return errStopped
		}
	}
	return nil
}

func (x *exchange) freeSpool() {
	if x.spool != nil {
		x.spool.Free()
		x.spool = nil
	}
}

var errBodyTooLong = &http1.Error{Status: 413, Reason: "body too long"}

// buffers says whether bodies are kept before a process is held for them:
// where processes take few requests at a time, unless the app says.
func (m *mount) buffers(chunked bool) bool {
	if b := m.route.BufferUpload; b != nil {
		return *b
	}
	// A client may want the answer's begin before it sends all of a body whose
	// length it does not know.
	return m.scarce && !chunked
}
