// Package trace tells a collector of OpenTelemetry what became of requests: of each
// that is sampled a span of the proxy's own, and one of the process that answered
// it, over OTLP/HTTP. It reads and makes the traceparent that joins them (W3C Trace
// Context).
//
// A request only copies its spans into a bounded queue; what finds no room there is
// dropped and counted. The SDK of OpenTelemetry would cost 8.6 MB and fifty modules.
package trace

import (
	"encoding/hex"
	"math/rand/v2"
	"time"

	"passenger/lib/http1"
	"passenger/lib/proxy/forwarded"
)

// A Span is what a request notes for its two spans. The zero Span notes nothing: its
// methods cost a comparison.
type Span struct {
	on      bool // it is sampled
	traced  bool // it has a traceparent of ours for the app
	remote  bool // it goes on a trace that the client began
	trace   [16]byte
	parent  [8]byte // the client's span, zeros if there is none
	server  [8]byte
	client  [8]byte
	flags   byte
	forApp  [parentLength]byte
	cache   cacheUse
	sent    time.Time // to the process, first
	heard   time.Time // its answer began
	ended   time.Time // the process was given back
	status  int       // that it answered
	resends int
}

// parentLength is that of a traceparent of version 00.
const parentLength = len("00-00000000000000000000000000000000-0000000000000000-00")

// Flags of a traceparent.
const (
	sampledFlag = 1
	randomFlag  = 2 // of level 2 of the specification
)

// A cacheUse is what the cache had to do with a request.
type cacheUse byte

const (
	noCache cacheUse = iota
	cacheHit
	cacheMiss
)

// Reset makes s that of another request.
func (s *Span) Reset() {
	if s.on || s.traced {
		*s = Span{}
	}
}

// Begin reads the traceparent of a request, decides whether it is sampled, and names
// its spans. id is the request's ID if we made it: the trace that begins here is
// called so, so that logs and traces find each other.
func (t *Exporter) Begin(s *Span, r *http1.Request, id []byte) {
	*s = Span{}
	flags, found := s.join(r)
	if s.remote = found; !found {
		if !named(&s.trace, id) {
			random(s.trace[:8])
			random(s.trace[8:])
		}
		flags = 0
	}
	s.on = t.sampler.samples(found, flags&sampledFlag != 0, s.trace)
	s.flags = flags & randomFlag
	if s.on {
		s.flags |= sampledFlag
	}
	if found && !s.on && flags&sampledFlag == 0 {
		return // it goes through as it came
	}
	random(s.server[:])
	random(s.client[:])
	s.traced = true
	s.write()
}

// named reads an ID in hexadecimal.
func named(trace *[16]byte, id []byte) bool {
	if len(id) != 2*len(trace) {
		return false
	}
	_, err := hex.Decode(trace[:], id)
	return err == nil && *trace != [16]byte{}
}

// join takes over the trace of a valid traceparent. Several of them are none
// (section 3.2.1 of the specification), and neither is one that is not valid: then
// the trace begins here.
func (s *Span) join(r *http1.Request) (flags byte, ok bool) {
	value, n := []byte(nil), 0
	for i := range r.Count() {
		if r.Kind(i) == http1.TraceParent {
			value = r.Value(i)
			n++
		}
	}
	if n != 1 || !forwarded.ValidTrace(value) {
		return 0, false
	}
	var f [1]byte
	for _, part := range []struct{ to, from []byte }{{s.trace[:], value[3:35]}, {s.parent[:], value[36:52]}, {f[:], value[53:55]}} {
		if _, err := hex.Decode(part.to, part.from); err != nil {
			return 0, false // it was checked before
		}
	}
	return f[0], true
}

// write writes the traceparent for the app. Its parent is the span of the process.
func (s *Span) write() {
	parent := s.client
	if !s.on {
		parent = s.server // of which nobody hears; it only says that nothing is sampled
	}
	b := append(s.forApp[:0], "00-"...)
	b = append(hex.AppendEncode(b, s.trace[:]), '-')
	b = append(hex.AppendEncode(b, parent[:]), '-')
	hex.AppendEncode(b, []byte{s.flags})
}

// random fills 8 bytes, not with zeros alone.
func random(b []byte) {
	n := rand.Uint64() | 1
	for i := range b {
		b[i] = byte(n >> (8 * i))
	}
}

// Traceparent is what the app gets in the place of what the client sent, nil if it
// gets that.
func (s *Span) Traceparent() []byte {
	if !s.traced {
		return nil
	}
	return s.forApp[:]
}

// Continues says that the trace is the client's, so that its tracestate goes on.
func (s *Span) Continues() bool { return s.remote }

// TraceID appends the ID of the trace that the request belongs to, in hexadecimal.
// It is empty if that is not known here.
func (s *Span) TraceID() []byte {
	if !s.traced {
		return nil
	}
	return s.forApp[len("00-"):][:32]
}

// Sampled says that spans are to be told.
func (s *Span) Sampled() bool { return s.on }

// Sends notes that the request goes to a process, for the first time or again.
func (s *Span) Sends() {
	switch {
	case !s.on:
	case s.sent.IsZero():
		s.sent = time.Now()
	default:
		s.resends++
	}
}

// Hears notes that the process begins to answer.
func (s *Span) Hears() {
	if s.on {
		s.heard = time.Now()
	}
}

// Leaves notes that the process is given back, and with which status it answered, 0
// for none.
func (s *Span) Leaves(status int) {
	if s.on && !s.sent.IsZero() {
		s.ended, s.status = time.Now(), status
	}
}

// Hit and Miss note what the cache had.
func (s *Span) Hit() {
	if s.on {
		s.cache = cacheHit
	}
}

func (s *Span) Miss() {
	if s.on {
		s.cache = cacheMiss
	}
}
