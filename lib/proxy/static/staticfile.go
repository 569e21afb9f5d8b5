package static

import (
	"bytes"
	"net/http"
	"os"
	"strconv"
	"time"

	"passenger/lib/http1"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/wire"
)

// MaxCopied is the largest file that is copied behind its head and sent in one
// call; the kernel sends larger ones from its own memory.
const MaxCopied = 32 << 10

// A File is a file on its way to a client.
type File struct {
	root   *files.Root // that it lies in
	file   files.Regular
	kind   files.Type
	coding string // in which it is compressed; empty if it is not

	// CacheControl is how long it may be kept, as the field says it; empty for no
	// word on it.
	CacheControl string

	tag, modified []byte // as in the head
	at            int    // where the memory for what is sent before the content begins
}

// Close closes the file, which was found.
func (s *File) Close() { s.file.Close() }

// A Sink takes an answer that is a file.
type Sink interface {
	Date() []byte                     // the present second, as a Date field has it
	AppendConnection(b []byte) []byte // appends the Connection field, if there is to be one
	SendReply(status, length int, p, p2 []byte) error
	Conn() *wire.Conn
	Show() // the answer may take a while from now on
}

// An UnreadError says that a file could be opened but not read to its end: nothing
// was sent.
type UnreadError struct{ Err error }

func (e *UnreadError) Error() string { return e.Err.Error() }

// Send answers q with the file. b is the buffer in which it was found. It returns
// an *UnreadError if nothing was sent, and else why the client got less than all.
//
// It does by itself what nearly all ask for, without a byte of garbage: the
// whole file, or whether the client's copy is good still. The rest is left to
// http.ServeContent.
func (s *File) Send(to Sink, q *http1.Request, b *wire.Buffer) error {
	p := b.B[s.at:s.at]
	s.tag = s.appendTag(p)
	p = s.tag[len(s.tag):]
	s.modified = appendHTTPTime(p, s.file.Modified)
	p = s.modified[len(s.modified):]
	status := http.StatusOK
	switch same, rare := s.conditions(q); {
	case rare:
		return s.serve(to, q)
	case same:
		status = http.StatusNotModified
	}
	head := s.appendHead(p, to, status)
	if status == http.StatusNotModified || string(q.Method) == "HEAD" {
		return to.SendReply(status, len(head), head, nil)
	}
	return s.sendContent(to, head)
}

// conditions says whether the client has the file already, or asks for
// something rare: a part of it, or to be refused if it has changed.
func (s *File) conditions(q *http1.Request) (same, rare bool) {
	var since []byte
	tagged := false
	for i := range q.Count() {
		switch name := q.Name(i); {
		case http1.EqualFold(name, "if-none-match"):
			same = same || http1.ListsTag(q.Value(i), s.tag)
			tagged = true
		case http1.EqualFold(name, "if-modified-since"):
			since = q.Value(i)
		case http1.EqualFold(name, "range"):
			if string(q.Method) == "GET" { // RFC 9110, 14.2: it means nothing else
				return false, true
			}
		case http1.EqualFold(name, "if-match"), http1.EqualFold(name, "if-unmodified-since"):
			return false, true // If-Range alone is none
		}
	}
	if tagged || since == nil {
		return same, false
	}
	if bytes.Equal(since, s.modified) {
		return true, false
	}
	t, ok := http1.ParseDate(since)
	return ok && !s.file.Modified.Truncate(time.Second).After(t), false
}

// appendTag appends the entity tag, which tells the contents of a file apart,
// and the compressed forms from the others.
func (s *File) appendTag(b []byte) []byte {
	b = appendTag(append(b, '"'), s.file.Modified, s.file.Size)
	if s.coding != "" {
		b = append(append(b, '-'), s.coding...)
	}
	return append(b, '"')
}

func appendTag(b []byte, modified time.Time, size int64) []byte {
	b = append(strconv.AppendInt(b, modified.UnixNano(), 16), '-')
	return strconv.AppendInt(b, size, 16)
}

// appendHTTPTime appends t as AppendFormat does with http.TimeFormat, in a third
// of the time.
func appendHTTPTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(b, http.TimeFormat)
	}
	hour, minute, second := t.Clock()
	b = append(append(b, t.Weekday().String()[:3]...), ", "...)
	b = append(appendTwo(b, day), ' ')
	b = append(append(b, month.String()[:3]...), ' ')
	b = append(appendTwo(appendTwo(b, year/100), year%100), ' ')
	b = append(appendTwo(b, hour), ':')
	b = append(appendTwo(b, minute), ':')
	return append(appendTwo(b, second), " GMT"...)
}

func appendTwo(b []byte, n int) []byte { return append(b, '0'+byte(n/10), '0'+byte(n%10)) }

// EntityTag is the tag of a file without a compressed form.
func EntityTag(info os.FileInfo) string {
	return string(append(appendTag([]byte{'"'}, info.ModTime(), info.Size()), '"'))
}

// forAYear is for a file whose name changes with its content.
const forAYear = "public, max-age=31536000, immutable"

// appendHead appends the head of the answer.
func (s *File) appendHead(b []byte, to Sink, status int) []byte {
	if status == http.StatusNotModified {
		b = append(b, "HTTP/1.1 304 Not Modified\r\nDate: "...)
	} else {
		b = append(b, "HTTP/1.1 200 OK\r\nDate: "...)
	}
	b = append(b, to.Date()...)
	b = append(b, "\r\nLast-Modified: "...)
	b = append(b, s.modified...)
	b = append(b, "\r\nETag: "...)
	b = append(b, s.tag...)
	b = append(b, "\r\n"...)
	if s.CacheControl != "" {
		b = append(append(append(b, "Cache-Control: "...), s.CacheControl...), "\r\n"...)
	}
	if !s.kind.Packed {
		b = append(b, "Vary: Accept-Encoding\r\n"...)
	}
	if status == http.StatusOK {
		if s.coding != "" {
			b = append(append(append(b, "Content-Encoding: "...), s.coding...), "\r\n"...)
		}
		b = append(append(b, "Accept-Ranges: bytes\r\nContent-Type: "...), s.kind.Name...)
		b = append(b, "\r\nContent-Length: "...)
		b = append(strconv.AppendInt(b, s.file.Size, 10), "\r\n"...)
	}
	return append(to.AppendConnection(b), "\r\n"...)
}

// sendContent writes head and the file. A small file is read into head's own
// memory, or that of a larger buffer.
func (s *File) sendContent(to Sink, head []byte) error {
	size := s.file.Size
	if size > MaxCopied {
		return s.streamContent(to, head)
	}
	if int(size) > cap(head)-len(head) {
		b := wire.TakeBuffer(len(head) + int(size))
		defer b.Free()
		head = b.B[:copy(b.B, head)]
	}
	whole := head[:len(head)+int(size)]
	if err := s.file.ReadAt(whole[len(head):], 0); err != nil {
		return &UnreadError{err}
	}
	return to.SendReply(http.StatusOK, len(head), whole, nil)
}

// streamContent writes head, and then the file as the client takes it.
func (s *File) streamContent(to Sink, head []byte) error {
	to.Show()
	if err := to.SendReply(http.StatusOK, len(head), head, nil); err != nil {
		return err
	}
	c := to.Conn()
	if socket := c.Socket(); socket != nil {
		_, err := socket.SendFile(s.file.FD, s.file.Size)
		return err
	}
	b := wire.TakeBuffer(wire.Large)
	defer b.Free()
	for at := int64(0); at < s.file.Size; {
		part := b.B[:min(s.file.Size-at, int64(len(b.B)))]
		if err := s.file.ReadAt(part, at); err != nil {
			return err
		}
		if _, err := c.WriteBoth(part, nil); err != nil {
			return err
		}
		at += int64(len(part))
	}
	return nil
}

// serve leaves the answer to http.ServeContent.
func (s *File) serve(to Sink, q *http1.Request) error {
	to.Show()
	w := &Writer{To: to, Fields: http.Header{}}
	w.Fields.Set("Content-Type", s.kind.Name)
	w.Fields.Set("Etag", string(s.tag))
	if s.CacheControl != "" {
		w.Fields.Set("Cache-Control", s.CacheControl)
	}
	if s.coding != "" {
		w.Fields.Set("Content-Encoding", s.coding)
	}
	if !s.kind.Packed {
		w.Fields.Set("Vary", "Accept-Encoding")
	}
	f := os.NewFile(uintptr(s.file.FD), "static file")
	s.file.FD = -1
	defer f.Close()
	return w.Serve(q, f, s.file.Size, s.file.Modified, false)
}
