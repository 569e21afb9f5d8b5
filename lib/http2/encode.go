package http2

import (
	"encoding/binary"
	"strconv"

	h2 "golang.org/x/net/http2"
)

func appendFrame(b []byte, length int, kind h2.FrameType, flags h2.Flags, stream uint32) []byte {
	b = append(b, byte(length>>16), byte(length>>8), byte(length), byte(kind), byte(flags))
	return binary.BigEndian.AppendUint32(b, stream)
}

func appendSettings(b []byte, list ...h2.Setting) []byte {
	b = appendFrame(b, 6*len(list), h2.FrameSettings, 0, 0)
	for _, s := range list {
		b = binary.BigEndian.AppendUint16(b, uint16(s.ID))
		b = binary.BigEndian.AppendUint32(b, s.Val)
	}
	return b
}

func appendSettingsAck(b []byte) []byte {
	return appendFrame(b, 0, h2.FrameSettings, h2.FlagSettingsAck, 0)
}

func appendPing(b []byte, flags h2.Flags, data [8]byte) []byte {
	return append(appendFrame(b, 8, h2.FramePing, flags, 0), data[:]...)
}

func appendWindowUpdate(b []byte, stream uint32, n int) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(b, 4, h2.FrameWindowUpdate, 0, stream), uint32(n))
}

func appendReset(b []byte, stream uint32, code h2.ErrCode) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(b, 4, h2.FrameRSTStream, 0, stream), uint32(code))
}

func appendGoAway(b []byte, last uint32, code h2.ErrCode) []byte {
	b = binary.BigEndian.AppendUint32(appendFrame(b, 8, h2.FrameGoAway, 0, 0), last)
	return binary.BigEndian.AppendUint32(b, uint32(code))
}

func appendData(b []byte, stream uint32, p []byte, last bool) []byte {
	var flags h2.Flags
	if last {
		flags = h2.FlagDataEndStream
	}
	return append(appendFrame(b, len(p), h2.FrameData, flags, stream), p...)
}

// appendHead appends a block of fields in as many frames as it needs.
func appendHead(b []byte, stream uint32, block []byte, last bool) []byte {
	kind, flags := h2.FrameHeaders, h2.Flags(0)
	if last {
		flags = h2.FlagHeadersEndStream
	}
	for {
		n := min(len(block), maxFrame)
		if n == len(block) {
			flags |= h2.FlagHeadersEndHeaders
		}
		b = append(appendFrame(b, n, kind, flags, stream), block[:n]...)
		if block = block[n:]; len(block) == 0 {
			return b
		}
		kind, flags = h2.FrameContinuation, 0
	}
}

// Fields are written without entries in the table (RFC 7541, 6.2.2): then a
// block depends on no other, streams need not wait for one another, and a
// connection need not remember what it sent.

// emptyTable sets our table to no size, as a client may have to see that makes
// its own smaller: RFC 9113, 4.3.1, and RFC 7541, 6.3.
const emptyTable = 0x20

// appendStatus appends the pseudo-field of a status.
func appendStatus(b []byte, status int) []byte {
	switch status {
	case 200:
		return append(b, 0x88)
	case 204:
		return append(b, 0x89)
	case 206:
		return append(b, 0x8a)
	case 304:
		return append(b, 0x8b)
	case 404:
		return append(b, 0x8d)
	}
	return strconv.AppendInt(append(b, 0x08, 3), int64(status), 10)
}

// appendField appends a field. Its name is written in lower case.
func appendField(b, name, value []byte) []byte {
	const neverIndexed = 0x10
	var room [32]byte
	index := 0
	if len(name) <= len(room) {
		index = staticName(appendLower(room[:0], name))
	}
	first := byte(0)
	if index == 55 { // set-cookie: RFC 7541, 7.1.3
		first = neverIndexed
	}
	b = appendInt(b, first, 4, index)
	if index == 0 {
		b = appendLower(appendInt(b, 0, 7, len(name)), name)
	}
	return append(appendInt(b, 0, 7, len(value)), value...)
}

func appendLower(b, name []byte) []byte {
	for _, c := range name {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		b = append(b, c)
	}
	return b
}

// appendInt appends n with a prefix of so many bits in a byte that begins with
// first: RFC 7541, 5.1.
func appendInt(b []byte, first byte, bits, n int) []byte {
	most := 1<<bits - 1
	if n < most {
		return append(b, first|byte(n))
	}
	b = append(b, first|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// staticName is where RFC 7541, appendix A lists a name that answers have, 0 if
// nowhere.
func staticName(name []byte) int {
	switch string(name) {
	case "accept-ranges":
		return 18
	case "access-control-allow-origin":
		return 20
	case "age":
		return 21
	case "allow":
		return 22
	case "cache-control":
		return 24
	case "content-disposition":
		return 25
	case "content-encoding":
		return 26
	case "content-language":
		return 27
	case "content-length":
		return 28
	case "content-location":
		return 29
	case "content-range":
		return 30
	case "content-type":
		return 31
	case "date":
		return 33
	case "etag":
		return 34
	case "expires":
		return 36
	case "last-modified":
		return 44
	case "link":
		return 45
	case "location":
		return 46
	case "retry-after":
		return 53
	case "server":
		return 54
	case "set-cookie":
		return 55
	case "strict-transport-security":
		return 56
	case "vary":
		return 59
	case "via":
		return 60
	case "www-authenticate":
		return 61
	}
	return 0
}
