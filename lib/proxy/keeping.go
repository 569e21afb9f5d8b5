package proxy

import (
	"log/slog"
	"sync/atomic"

	"passenger/lib/protocol"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/wire"
)

const (
	// defaultMostKept is Passenger's response_buffer_high_watermark.
	defaultMostKept = 128 << 20

	// mostMemory is how many bytes of all answers together, that their clients
	// do not take, are held in memory.
	mostMemory = 8 << 20
)

// mostKept is how many bytes of an answer are kept for a client that does not
// take them, 0 for none.
func mostKept(r *protocol.Route) int64 {
	switch {
	case r.BufferResponse != nil && !*r.BufferResponse:
		return 0
	case r.ResponseHighWater == 0:
		return defaultMostKept
	}
	return max(int64(r.ResponseHighWater), wire.Large)
}

// A memory is lent in parts, up to a limit.
type memory struct {
	most int64
	used atomic.Int64
}

// lend lends n bytes, or says that there are not so many left.
func (m *memory) lend(n int) bool {
	if m.used.Add(int64(n)) <= m.most {
		return true
	}
	m.used.Add(int64(-n))
	return false
}

func (m *memory) giveBack(n int) { m.used.Add(int64(-n)) }

// CheckBufferDir says why bodies cannot be kept in dir, nil if they can.
func CheckBufferDir(dir string) error {
	f, err := files.Unnamed(dir)
	if err != nil {
		return err
	}
	return f.Close()
}

// unkeptAnswer counts an answer that could not be kept on disk, and logs why, at
// most once a second.
func (p *Proxy) unkeptAnswer(err error) {
	p.unkept.Add(1)
	if p.unkeptLogged.Due() {
		slog.Error("could not keep an answer on disk; its process waits for the client", "dir", p.DataBufferDir, "err", err)
	}
}
