package proxy

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"time"

	"passenger/lib/http1"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/page"
	"passenger/lib/proxy/wire"
)

// maxCopied is the largest file that is copied behind its head and sent in one
// call; the kernel sends larger ones from its own memory.
const maxCopied = 32 << 10

// A staticFile is a file on its way to a client.
type staticFile struct {
	root   *files.Root // that it lies in
	file   files.Regular
	kind   files.Type
	coding string // in which it is compressed; empty if it is not
	fresh  bool   // its name changes with its content

	tag, modified []byte // as in the head
}

// sendStatic answers with a file, and says whether the connection can go on. b
// is for all that is sent before the content, from its byte at on.
//
// It does by itself what nearly all ask for, without a byte of garbage: the
// whole file, or whether the client's copy is good still. The rest is left to
// http.ServeContent.
func (x *exchange) sendStatic(s *staticFile, b *wire.Buffer, at int) (again bool) {
	p := b.B[at:at]
	s.tag = s.appendTag(p)
	p = s.tag[len(s.tag):]
	s.modified = appendHTTPTime(p, s.file.Modified)
	p = s.modified[len(s.modified):]
	status := http.StatusOK
	switch same, rare := s.conditions(&x.req.Request); {
	case rare:
		return x.serveStatic(s)
	case same:
		status = http.StatusNotModified
	}
	head := x.appendStatic(p, s, status)
	if status == http.StatusNotModified || string(x.req.Method) == "HEAD" {
		return x.answer.sendReply(status, len(head), head, nil) == nil && x.finish()
	}
	return x.sendContent(s, head)
}

// conditions says whether the client has the file already, or asks for
// something rare: a part of it, or to be refused if it has changed.
func (s *staticFile) conditions(q *http1.Request) (same, rare bool) {
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
func (s *staticFile) appendTag(b []byte) []byte {
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

// entityTag is the tag of a file without a compressed form.
func entityTag(info os.FileInfo) string {
	return string(append(appendTag([]byte{'"'}, info.ModTime(), info.Size()), '"'))
}

const forAYear = "public, max-age=31536000, immutable"

// appendStatic appends the head of the answer.
func (x *exchange) appendStatic(b []byte, s *staticFile, status int) []byte {
	if status == http.StatusNotModified {
		b = append(b, "HTTP/1.1 304 Not Modified\r\nDate: "...)
	} else {
		b = append(b, "HTTP/1.1 200 OK\r\nDate: "...)
	}
	b = append(b, x.req.date()...)
	b = append(b, "\r\nLast-Modified: "...)
	b = append(b, s.modified...)
	b = append(b, "\r\nETag: "...)
	b = append(b, s.tag...)
	b = append(b, crlf...)
	if s.fresh {
		b = append(b, "Cache-Control: "+forAYear+"\r\n"...)
	}
	if !s.kind.Packed {
		b = append(b, "Vary: Accept-Encoding\r\n"...)
	}
	if status == http.StatusOK {
		if s.coding != "" {
			b = append(append(append(b, "Content-Encoding: "...), s.coding...), crlf...)
		}
		b = append(append(b, "Accept-Ranges: bytes\r\nContent-Type: "...), s.kind.Name...)
		b = append(b, "\r\nContent-Length: "...)
		b = append(strconv.AppendInt(b, s.file.Size, 10), crlf...)
	}
	return append(x.answer.appendConnection(b), crlf...)
}

// sendContent writes head and the file, and says whether the connection can go
// on. A small file is read into head's own memory, or that of a larger buffer.
func (x *exchange) sendContent(s *staticFile, head []byte) (again bool) {
	size := s.file.Size
	if size > maxCopied {
		return x.streamContent(s, head) == nil && x.finish()
	}
	if int(size) > cap(head)-len(head) {
		b := wire.TakeBuffer(len(head) + int(size))
		defer b.Free()
		head = b.B[:copy(b.B, head)]
	}
	whole := head[:len(head)+int(size)]
	if err := s.file.ReadAt(whole[len(head):], 0); err != nil {
		return x.notRead(err)
	}
	return x.answer.sendReply(http.StatusOK, len(head), whole, nil) == nil && x.finish()
}

// notRead answers for a file that could be opened but not read to its end.
func (x *exchange) notRead(err error) (again bool) {
	if a := x.req.mount.app; a.complained.Due() {
		slog.Warn("static file could not be read", "app", a.name, "path", string(x.req.Path), "err", err)
	}
	return x.page(page.Page{Status: http.StatusServiceUnavailable, Message: "The file is being changed.", Retry: 1})
}

// streamContent writes head, and then the file as the client takes it.
func (x *exchange) streamContent(s *staticFile, head []byte) error {
	x.show()
	if err := x.answer.sendReply(http.StatusOK, len(head), head, nil); err != nil {
		return err
	}
	if to := x.client.Socket(); to != nil {
		_, err := to.SendFile(s.file.FD, s.file.Size)
		return err
	}
	b := wire.TakeBuffer(wire.Large)
	defer b.Free()
	for at := int64(0); at < s.file.Size; {
		part := b.B[:min(s.file.Size-at, int64(len(b.B)))]
		if err := s.file.ReadAt(part, at); err != nil {
			return err
		}
		if _, err := x.client.WriteBoth(part, nil); err != nil {
			return err
		}
		at += int64(len(part))
	}
	return nil
}

// show makes an answer visible that may take a while.
func (x *exchange) show() {
	x.session.phase.Store(responding)
	x.client.publish(x)
}

// serveStatic leaves the answer to http.ServeContent.
func (x *exchange) serveStatic(s *staticFile) (again bool) {
	x.show()
	w := &fileWriter{x: x, header: http.Header{}}
	w.header.Set("Content-Type", s.kind.Name)
	w.header.Set("Etag", string(s.tag))
	if s.fresh {
		w.header.Set("Cache-Control", forAYear)
	}
	if s.coding != "" {
		w.header.Set("Content-Encoding", s.coding)
	}
	if !s.kind.Packed {
		w.header.Set("Vary", "Accept-Encoding")
	}
	f := os.NewFile(uintptr(s.file.FD), "static file")
	s.file.FD = -1
	defer f.Close()
	return x.serveFile(w, f, s.file.Size, s.file.Modified, false)
}
