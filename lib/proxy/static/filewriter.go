package static

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"passenger/lib/http1"
	"strconv"
	"strings"
	"time"
)

// Serve answers q with a file. Whole leaves out of account what the client has
// already and which part it wants. It returns why the client got less.
func (w *Writer) Serve(q *http1.Request, f *os.File, size int64, modified time.Time, whole bool) error {
	w.size = size
	http.ServeContent(w, condition(q, whole), "", modified, f)
	if !w.begun {
		w.WriteHeader(http.StatusOK) // an empty file
	}
	return w.err
}

// MaxRanges is how many parts of a file an answer may have. A list with more
// is ignored, as RFC 9110, 14.2 allows: it could only be an attack.
const MaxRanges = 32

// condition is what http.ServeContent goes by, which looks at the first field
// of a name only.
func condition(q *http1.Request, whole bool) *http.Request {
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
	return unit + strings.Join(parts, ","), len(parts) <= MaxRanges
}

// beyond is a part that no file has.
const beyond = "9223372036854775807-"

// A Writer is a sink as http.ServeContent wants it.
type Writer struct {
	To     Sink
	Fields http.Header // all that the content does not say
	Status int         // in place of 200; 0 for that
	Extra  []byte      // more lines of the head
	size   int64       // of the whole file
	begun  bool
	mute   bool // the body is dropped
	err    error
}

func (w *Writer) Header() http.Header { return w.Fields }

func (w *Writer) WriteHeader(status int) {
	if w.begun {
		return
	}
	w.begun = true
	switch {
	case status >= 400:
		// What http.ServeContent has to say of it is not worth its type.
		w.Fields.Del("Content-Type")
		w.Fields.Set("Content-Length", "0")
		w.mute = true
	case w.Fields.Get("Content-Length") != "" || status == http.StatusNotModified:
	case status == http.StatusOK:
		w.Fields.Set("Content-Length", strconv.FormatInt(w.size, 10))
	}
	if status == http.StatusOK && w.Status != 0 {
		status = w.Status
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http.StatusText(status), w.To.Date())
	_ = w.Fields.Write(&b) // a buffer takes everything
	b.Write(w.Extra)
	head := append(w.To.AppendConnection(b.Bytes()), "\r\n"...)
	w.err = w.To.SendReply(status, len(head), head, nil)
}

func (w *Writer) Write(p []byte) (n int, err error) {
	w.WriteHeader(http.StatusOK)
	if w.mute {
		return len(p), nil
	}
	if w.err == nil {
		n, w.err = w.To.Conn().WriteBoth(p, nil)
	}
	return n, w.err
}

// ReadFrom lets the kernel send a file.
func (w *Writer) ReadFrom(r io.Reader) (n int64, err error) {
	w.WriteHeader(http.StatusOK)
	limited, ok := r.(*io.LimitedReader)
	if s := w.To.Conn().Socket(); ok && w.err == nil && s != nil {
		if f, ok := limited.R.(*os.File); ok {
			n, w.err = s.SendFile(int(f.Fd()), limited.N)
			return n, w.err
		}
	}
	return io.Copy(struct{ io.Writer }{w}, r)
}
