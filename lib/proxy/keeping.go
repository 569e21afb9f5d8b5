package proxy

import (
	"log/slog"

	"passenger/lib/protocol"
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

// unkeptAnswer counts an answer that could not be kept on disk, and logs why, at
// most once a second.
func (p *Proxy) unkeptAnswer(err error) {
	p.unkept.Add(1)
	if p.unkeptLogged.Due() {
		slog.Error("could not keep an answer on disk; its process waits for the client", "dir", p.DataBufferDir, "err", err)
	}
}
