// Package recorder keeps the last quarter of an hour of a daemon in one file of a
// fixed size, as an aeroplane's flight recorder does: once a second a sample of
// each app, and what happened. What is written is in the kernel's hands at once,
// so it can be read after kill -9 of everything.
//
// passenger-statedir(5) describes the file. A record is written by one pwrite(2)
// in a ring; one that was torn has a wrong checksum, and is left out.
package recorder

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// Sizes of the file, in bytes. With them the files of three daemons take less
// than 8 MB.
const (
	headSize    = 4096
	samplesSize = 2 << 20
	eventsSize  = 512 << 10

	// Size is that of a whole file.
	Size = headSize + samplesSize + eventsSize
)

// Kept is how long a sample of each second is kept at least.
const Kept = 15 * 60 // seconds

// mostSample is how long the JSON of a sample may be, so that Kept samples and some
// more fit.
const mostSample = (samplesSize/(Kept+10))&^(align-1) - recordHead

// mostRecord bounds a record with its head; it is that of an event.
const mostRecord = 8 << 10

// version is that of the file. Columns that are added do not change it.
const version = 1

// A kind is what a record is. Each kind has a ring of its own, so that a flood of
// one leaves the other alone.
type kind byte

const (
	sampleKind kind = 's'
	eventKind  kind = 'e'
)

// A ring is where the records of a kind are in the file.
type ring struct {
	kind       kind
	from, size int64
}

var rings = [...]ring{
	{sampleKind, headSize, samplesSize},
	{eventKind, headSize + samplesSize, eventsSize},
}

const (
	// align is what the place of each record in its ring is a multiple of.
	align = 8

	// recordHead is the length of a record's head: mark, kind, length, number and
	// checksum, little-endian.
	recordHead = 24
)

// mark begins a record. No text in UTF-8 has its first byte, so nothing that an
// app writes looks like a record.
var mark = [3]byte{0xf5, 'P', 'R'}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A record is one of the ring, and where it was found.
type record struct {
	number  uint64
	payload []byte // JSON; of the scanner's buffer
	end     int64  // offset in the ring behind it
}

// appendRecord appends a record and the zeros up to the next one.
func appendRecord(b []byte, k kind, number uint64, payload []byte) []byte {
	at := len(b)
	b = append(b, mark[:]...)
	b = append(b, byte(k))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint64(b, number)
	sum := crc32.Update(crc32.Checksum(b[at:], castagnoli), castagnoli, payload)
	b = binary.LittleEndian.AppendUint32(b, sum)
	b = append(b, 0, 0, 0, 0)
	b = append(b, payload...)
	return append(b, make([]byte, padded(len(payload))-len(payload))...)
}

// padded is n, rounded up to a multiple of align.
func padded(n int) int { return (n + align - 1) &^ (align - 1) }

// parse reads the record at the beginning of b, if there is a whole one.
func parse(b []byte, k kind) (number uint64, payload []byte, ok bool) {
	if len(b) < recordHead || !bytes.HasPrefix(b, mark[:]) || b[3] != byte(k) {
		return 0, nil, false
	}
	n := binary.LittleEndian.Uint32(b[4:])
	if n > mostRecord-recordHead || recordHead+int(n) > len(b) {
		return 0, nil, false
	}
	payload = b[recordHead : recordHead+int(n)]
	sum := crc32.Update(crc32.Checksum(b[:16], castagnoli), castagnoli, payload)
	return binary.LittleEndian.Uint64(b[8:]), payload, sum == binary.LittleEndian.Uint32(b[16:])
}

// scan visits all records of a ring, in the order of their places. A file that is
// too short has fewer; an error is one of reading.
func (r ring) scan(f io.ReaderAt, visit func(record)) error {
	section := io.NewSectionReader(f, r.from, r.size)
	buf := make([]byte, 0, 8*mostRecord)
	var offset int64 // of buf in the ring
	for ended := false; !ended; {
		n, err := io.ReadFull(section, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if ended = err == io.EOF || err == io.ErrUnexpectedEOF; err != nil && !ended {
			return fmt.Errorf("read %d bytes of a ring: %w", n, err)
		}
		at := 0
		for at+recordHead <= len(buf) && (ended || len(buf)-at >= mostRecord) {
			number, payload, ok := parse(buf[at:], r.kind)
			if !ok {
				at += align
				continue
			}
			at += recordHead + padded(len(payload))
			visit(record{number, payload, offset + int64(at)})
		}
		at = min(at, len(buf))
		offset += int64(at)
		buf = buf[:copy(buf[:cap(buf)], buf[at:])]
	}
	return nil
}

// head is the beginning of a daemon's file.
func head(daemon string) []byte {
	b := make([]byte, headSize)
	copy(b, headLine(daemon))
	return b
}

func headLine(daemon string) string {
	return fmt.Sprintf("passenger-recorder %d %s\n", version, daemon)
}
