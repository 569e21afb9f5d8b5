package trace

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Protocol Buffers, as far as spans need them. Field numbers are those of
// opentelemetry/proto/trace/v1/trace.proto and its neighbours.
const (
	varintType  = 0
	fixed64Type = 1
	bytesType   = 2
	fixed32Type = 5
)

func appendTag(b []byte, field, kind int) []byte {
	return binary.AppendUvarint(b, uint64(field)<<3|uint64(kind))
}

func appendVarint(b []byte, field int, v uint64) []byte {
	return binary.AppendUvarint(appendTag(b, field, varintType), v)
}

func appendFixed64(b []byte, field int, v uint64) []byte {
	return binary.LittleEndian.AppendUint64(appendTag(b, field, fixed64Type), v)
}

func appendBytes(b []byte, field int, v []byte) []byte {
	b = binary.AppendUvarint(appendTag(b, field, bytesType), uint64(len(v)))
	return append(b, v...)
}

// appendText appends a string, which has to be UTF-8, of at most limit bytes.
func appendText(b []byte, field int, v []byte, limit int) []byte {
	v = v[:min(len(v), limit)]
	if !utf8.Valid(v) {
		v = bytes.ToValidUTF8(v, []byte("\ufffd"))
	}
	return appendBytes(b, field, v)
}

// open begins a message; close ends the one that began at start, and puts its length
// before it.
func open(b []byte, field int) (_ []byte, start int) {
	b = appendTag(b, field, bytesType)
	return b, len(b)
}

func closeMessage(b []byte, start int) []byte {
	var size [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(size[:], uint64(len(b)-start))
	return slices.Insert(b, start, size[:n]...)
}

// Bounds of texts, in bytes. A client chooses them.
const (
	mostPath  = 2048
	mostText  = 512
	mostState = 512 // of a tracestate; W3C asks for so much
)

// appendString appends an attribute, in the field of the message that has attributes.
// An empty one is left out. appendInt appends one of a span, appendFloat one of an
// event.
func appendString[T string | []byte](b []byte, field int, key string, value T, limit int) []byte {
	if len(value) == 0 {
		return b
	}
	b, start := open(b, field)
	b = appendBytes(b, 1, []byte(key))
	b, at := open(b, 2)
	b = appendText(b, 1, []byte(value), limit)
	return closeMessage(closeMessage(b, at), start)
}

func appendInt(b []byte, key string, value int64) []byte {
	b, start := open(b, attributesField)
	b = appendBytes(b, 1, []byte(key))
	b, at := open(b, 2)
	b = appendVarint(b, 3, uint64(value))
	return closeMessage(closeMessage(b, at), start)
}

func appendFloat(b []byte, key string, value float64) []byte {
	b, start := open(b, eventAttributesField)
	b = appendBytes(b, 1, []byte(key))
	b, at := open(b, 2)
	b = appendFixed64(b, 4, math.Float64bits(value))
	return closeMessage(closeMessage(b, at), start)
}

// Fields of a span, and kinds.
const (
	spansField           = 2 // of ScopeSpans
	attributesField      = 9 // of Span
	eventsField          = 11
	eventAttributesField = 3 // of Event
	serverKind           = 2
	clientKind           = 3
	statusError          = 2
	isRemote             = 0x300 // it is known whether the parent is remote, and it is
	isLocal              = 0x100
)

func appendEvent(b []byte, name string, at time.Time) (_ []byte, start int) {
	b, start = open(b, eventsField)
	b = appendFixed64(b, 1, uint64(at.UnixNano()))
	return appendBytes(b, 2, []byte(name)), start
}

// appendSpans appends the spans of a request that ended.
func appendSpans(b []byte, s *Span, r *Record) []byte {
	b = appendServer(b, s, r)
	if !s.sent.IsZero() {
		b = appendClient(b, s, r)
	}
	return b
}

func appendServer(b []byte, s *Span, r *Record) []byte {
	b, start := open(b, spansField)
	b = appendBytes(b, 1, s.trace[:])
	b = appendBytes(b, 2, s.server[:])
	b = appendText(b, 3, r.state(s), mostState)
	flags := uint32(s.flags)
	if s.parent != [8]byte{} {
		b = appendBytes(b, 4, s.parent[:])
		flags |= isRemote
	}
	b = r.appendCommon(b, serverKind, r.Began, r.Began.Add(r.Took))
	b = r.appendAsked(b)
	b = appendStatus(b, r.Status, 500, "client_gone")
	b = s.appendEvents(b, r)
	return closeMessage(appendFlags(b, flags), start)
}

func appendClient(b []byte, s *Span, r *Record) []byte {
	b, start := open(b, spansField)
	b = appendBytes(b, 1, s.trace[:])
	b = appendBytes(b, 2, s.client[:])
	b = appendText(b, 3, r.state(s), mostState)
	b = appendBytes(b, 4, s.server[:])
	ended := s.ended
	if ended.IsZero() {
		ended = r.Began.Add(r.Took)
	}
	b = r.appendCommon(b, clientKind, s.sent, ended)
	b = appendString(b, attributesField, "peer.service", r.App, mostText)
	b = appendString(b, attributesField, "passenger.process.id", r.Process, mostText)
	b = appendInt(b, "passenger.process.pid", int64(r.PID))
	if s.resends > 0 {
		b = appendInt(b, "http.request.resend_count", int64(s.resends))
	}
	b = appendStatus(b, s.status, 400, "no_answer")
	if !s.heard.IsZero() {
		var at int
		b, at = appendEvent(b, "first_byte", s.heard)
		b = closeMessage(b, at)
	}
	return closeMessage(appendFlags(b, uint32(s.flags)|isLocal), start)
}

func appendFlags(b []byte, flags uint32) []byte {
	return binary.LittleEndian.AppendUint32(appendTag(b, 16, fixed32Type), flags)
}

// appendCommon appends what both spans have.
func (r *Record) appendCommon(b []byte, kind uint64, from, to time.Time) []byte {
	method, known := r.method()
	name := method
	if !known {
		name = "HTTP"
	}
	b = appendBytes(b, 5, []byte(name))
	b = appendVarint(b, 6, kind)
	b = appendFixed64(b, 7, uint64(from.UnixNano()))
	b = appendFixed64(b, 8, uint64(max(to.UnixNano(), from.UnixNano())))
	b = appendString(b, attributesField, "http.request.method", method, mostText)
	if !known {
		b = appendString(b, attributesField, "http.request.method_original", r.Request.Method, mostText)
	}
	b = appendString(b, attributesField, "passenger.app", r.App, mostText)
	b = appendString(b, attributesField, "server.address", r.ServerAddress, mostText)
	if port, err := strconv.Atoi(string(r.ServerPort)); err == nil && port > 0 {
		b = appendInt(b, "server.port", int64(port))
	}
	return b
}

// appendStatus appends a status of HTTP, which is an error from a number on: for a
// server from 500, for a client from 400. Without a status it is one of the kind none.
func appendStatus(b []byte, status, from int, none string) []byte {
	switch {
	case status == 0:
		b = appendString(b, attributesField, "error.type", none, mostText)
	default:
		b = appendInt(b, "http.response.status_code", int64(status))
		if status < from {
			return b
		}
		b = appendString(b, attributesField, "error.type", strconv.Itoa(status), mostText)
	}
	b, at := open(b, 15)
	return closeMessage(appendVarint(b, 3, statusError), at)
}
