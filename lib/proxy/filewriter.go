package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// serveFile answers with a file, of which w.header says all that its content
// does not, and says whether the connection can go on. Whole leaves out of
// account what the client has already and which part it wants.
func (x *exchange) serveFile(w *fileWriter, f *os.File, size int64, modified time.Time, whole bool) bool {
	w.size = size
	http.ServeContent(w, x.req.condition(whole), "", modified, f)
	if !w.begun {
		w.WriteHeader(http.StatusOK) // an empty file
	}
	return w.err == nil && x.finish()
}

// maxRanges is how many parts of a file an answer may have. A list with more
// is ignored, as RFC 9110, 14.2 allows: it could only be an attack.
const maxRanges = 32

// condition is what http.ServeContent goes by, which looks at the first field
// of a name only.
func (q *request) condition(whole bool) *http.Request {
	r := &http.Request{Method: string(q.Method), Header: http.Header{}}
	if whole {
		return r
	}
	for i := range q.Count() {
		name, value := http.CanonicalHeaderKey(string(q.Name(i))), string(q.Value(i))
		switch name {
		case "If-Match", "If-None-Match":
			if earlier := r.Header.Get(name); earlier != "" {
				value = earlier + ", " + value
			}
			r.Header.Set(name, value)
		case "Range":
			if list, ok := ranges(value); ok && r.Method == "GET" {
				r.Header.Add(name, list)
			}
		case "If-Range", "If-Modified-Since", "If-Unmodified-Since":
			r.Header.Add(name, value)
		}
	}
	return r
}

// ranges is a Range as http.ServeContent understands it. ok is false for one
// to be ignored: in another unit, or with too many parts.
func ranges(value string) (list string, ok bool) {
	const unit = "bytes="
	if len(value) < len(unit) || !strings.EqualFold(value[:len(unit)], unit) {
		return "", false
	}
	parts := strings.Split(value[len(unit):], ",")
	for i, part := range parts {
		// The last no bytes cannot be had: RFC 9110, 14.1.2. It sends nothing as 206.
		if part = strings.TrimSpace(part); len(part) > 1 && strings.Trim(part, "0") == "-" && part[0] == '-' {
			parts[i] = beyond
		}
	}
	return unit + strings.Join(parts, ","), len(parts) <= maxRanges
}

// beyond is a part that no file has.
const beyond = "9223372036854775807-"

// A fileWriter is the exchange as http.ServeContent wants it.
type fileWriter struct {
	x      *exchange
	header http.Header
	size   int64  // of the whole file
	status int    // in place of 200; 0 for that
	extra  []byte // more lines of the head
	begun  bool
	mute   bool // the body is dropped
	err    error
}

func (w *fileWriter) Header() http.Header { return w.header }

func (w *fileWriter) WriteHeader(status int) {
	if w.begun {
		return
	}
	w.begun = true
	x := w.x
	switch {
	case status >= 400:
		// What http.ServeContent has to say of it is not worth its type.
		w.header.Del("Content-Type")
		w.header.Set("Content-Length", "0")
		w.mute = true
	case w.header.Get("Content-Length") != "" || status == http.StatusNotModified:
	case status == http.StatusOK:
		w.header.Set("Content-Length", strconv.FormatInt(w.size, 10))
	}
	if status == http.StatusOK && w.status != 0 {
		status = w.status
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http.StatusText(status), x.req.date())
	_ = w.header.Write(&b) // a buffer takes everything
	b.Write(w.extra)
	head := append(x.answer.appendConnection(b.Bytes()), crlf...)
	w.err = x.answer.sendReply(status, len(head), head, nil)
}

func (w *fileWriter) Write(p []byte) (n int, err error) {
	w.WriteHeader(http.StatusOK)
	if w.mute {
		return len(p), nil
	}
	if w.err == nil {
		n, w.err = w.x.client.WriteBoth(p, nil)
	}
	return n, w.err
}

// ReadFrom lets the kernel send a file.
func (w *fileWriter) ReadFrom(r io.Reader) (n int64, err error) {
	w.WriteHeader(http.StatusOK)
	limited, ok := r.(*io.LimitedReader)
	if s := w.x.client.Socket(); ok && w.err == nil && s != nil {
		if f, ok := limited.R.(*os.File); ok {
			n, w.err = s.SendFile(int(f.Fd()), limited.N)
			return n, w.err
		}
	}
	return io.Copy(struct{ io.Writer }{w}, r)
}
