//go:build go1.26 && !go1.27

package wire

import (
	"bytes"
	"crypto/tls"
	"net"
	"reflect"
	"unsafe"
)

// tlsBuffers is where the input buffers of a *tls.Conn lie in it: of records and of
// handshake messages. They are private, and keep room for the longest that came,
// the hello of the client: 3.5 of the 7 KB that a connection has when it is idle.
// Whoever moves to another Go reads there whether what is said here still holds.
var tlsBuffers = buffersIn(reflect.TypeFor[tls.Conn](), "rawInput", "hand")

// buffersIn returns the offsets of those fields of t that are buffers.
func buffersIn(t reflect.Type, fields ...string) (offsets []uintptr) {
	for _, name := range fields {
		if f, ok := t.FieldByName(name); ok && f.Type == reflect.TypeFor[bytes.Buffer]() {
			offsets = append(offsets, f.Offset)
		}
	}
	return offsets
}

// Slim has nc, which no goroutine reads, let go of memory that only its next read
// needs. Who writes to it is not disturbed. It is for connections that will be
// quiet for long.
//
// An empty buffer becomes another empty buffer: that is the same to its owner, and
// what it took out of the former stays as it is.
func Slim(nc net.Conn) {
	t, ok := nc.(*tls.Conn)
	if !ok {
		return
	}
	for _, offset := range tlsBuffers {
		if b := (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(t), offset)); b.Len() == 0 {
			*b = bytes.Buffer{}
		}
	}
}
