package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"passenger/lib/http1"
)

// Files are an app's static files. They are opened beneath the directory: a
// symbolic link that leads out of it is not followed.
type files struct {
	dir        string
	generation int
	root       *os.Root // nil if there is no such directory
}

// files returns the app's static files: those of the route's generation, so
// that a directory that a deploy replaced is opened anew. p.mu is held.
func (a *app) files(dir string, generation int) *os.Root {
	f := &a.static
	again := f.dir == dir && f.generation == generation
	if again && f.root != nil {
		return f.root
	}
	// Requests may use the old root still; the garbage collector closes it.
	*f = files{dir: dir, generation: generation}
	if dir == "" {
		return nil
	}
	var err error
	if f.root, err = os.OpenRoot(dir); err != nil && !errors.Is(err, os.ErrNotExist) && !again {
		slog.Warn("static files cannot be read; the app is asked for them", "app", a.name, "err", err)
	}
	return f.root
}

// static answers the request from a file, if it can be for one. done says that
// it did, and again whether the connection can go on.
func (x *exchange) static() (done, again bool) {
	name, ok := x.fileName()
	if !ok {
		return false, false
	}
	f, info := openFile(x.mount.files, name)
	if f == nil {
		return false, false
	}
	defer func() { f.Close() }()
	w := &fileWriter{x: x, header: http.Header{}}
	w.header.Set("Content-Type", contentType(name))
	if fingerprinted.MatchString(name) {
		w.header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if packed, packedInfo, coding := x.packed(name, info); packed != nil {
		f.Close()
		f, info = packed, packedInfo
		w.header.Set("Content-Encoding", coding)
		w.header.Set("Vary", "Accept-Encoding")
	}
	w.size = info.Size()
	w.header.Set("Etag", fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size()))
	http.ServeContent(w, x.condition(), "", info.ModTime(), f)
	if !w.begun {
		w.WriteHeader(http.StatusOK) // an empty file
	}
	if w.err != nil {
		return true, false
	}
	return true, x.finish()
}

// fileName is the name of the file, below the directory, that the request may
// be for. Only names with a dot in their last element are looked for, so that
// an app's own pages cost no look at the disk; hidden ones never are, but for
// .well-known.
func (x *exchange) fileName() (string, bool) {
	method := string(x.req.Method)
	if method != "GET" && method != "HEAD" || x.req.ContentLength > 0 || x.req.Chunked || x.upgrade {
		return "", false
	}
	p := x.req.Path[len(x.mount.base):]
	if bytes.IndexByte(p[bytes.LastIndexByte(p, '/')+1:], '.') < 0 {
		return "", false
	}
	name, err := url.PathUnescape(strings.TrimPrefix(string(p), "/"))
	if err != nil || strings.ContainsAny(name, "\x00\\") {
		return "", false
	}
	for i, element := range strings.Split(name, "/") {
		if element == "" || element[0] == '.' && !(i == 0 && element == ".well-known") {
			return "", false
		}
	}
	return name, true
}

// openFile opens a regular file; nil if there is none.
func openFile(root *os.Root, name string) (*os.File, os.FileInfo) {
	// Without O_NONBLOCK a FIFO would wait for its writer.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, nil
	}
	return f, info
}

// packed opens the compressed form of a file that the client takes, unless it
// is older than the file.
func (x *exchange) packed(name string, plain os.FileInfo) (*os.File, os.FileInfo, string) {
	accepted := string(x.req.Find(http1.AcceptEncoding))
	for _, c := range [...]struct{ suffix, coding string }{{".br", "br"}, {".gz", "gzip"}} {
		if !accepts(accepted, c.coding) {
			continue
		}
		f, info := openFile(x.mount.files, name+c.suffix)
		if f != nil && !info.ModTime().Before(plain.ModTime()) {
			return f, info, c.coding
		}
		if f != nil {
			f.Close()
		}
	}
	return nil, nil, ""
}

// accepts says whether an Accept-Encoding names a coding, and not to refuse it.
func accepts(list, coding string) bool {
	for element := range strings.SplitSeq(list, ",") {
		name, weight, _ := strings.Cut(element, ";")
		if strings.EqualFold(strings.TrimSpace(name), coding) {
			q, found := strings.CutPrefix(strings.TrimSpace(weight), "q=")
			v, err := strconv.ParseFloat(q, 64)
			return !found || err == nil && v > 0
		}
	}
	return false
}

// fingerprinted are names that change with the content.
var fingerprinted = regexp.MustCompile(`[-.][0-9a-f]{8,64}\.[^/]*$`)

func contentType(name string) string {
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// condition is what http.ServeContent goes by.
func (x *exchange) condition() *http.Request {
	r := &http.Request{Method: string(x.req.Method), Header: http.Header{}}
	for i := range x.req.Count() {
		name := http.CanonicalHeaderKey(string(x.req.Name(i)))
		if name == "Range" || strings.HasPrefix(name, "If-") {
			r.Header.Add(name, string(x.req.Value(i)))
		}
	}
	return r
}

// A fileWriter is the exchange as http.ServeContent wants it.
type fileWriter struct {
	x      *exchange
	header http.Header
	size   int64 // of the whole file
	begun  bool
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
	case w.header.Get("Content-Length") != "" || status == http.StatusNotModified:
	case status == http.StatusOK:
		w.header.Set("Content-Length", strconv.FormatInt(w.size, 10))
	case status == http.StatusPreconditionFailed:
		w.header.Set("Content-Length", "0")
	default:
		x.closing = true // a text of unknown length follows
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http.StatusText(status), x.client.proxy.dates.at(x.began))
	_ = w.header.Write(&b) // a buffer takes everything
	head := append(x.appendConnection(b.Bytes()), crlf...)
	x.answered = true
	x.begin(status, len(head))
	_, w.err = x.client.write(head, nil)
}

func (w *fileWriter) Write(p []byte) (n int, err error) {
	w.WriteHeader(http.StatusOK)
	if w.err == nil {
		n, w.err = w.x.client.write(p, nil)
	}
	return n, w.err
}

// ReadFrom lets the kernel send a file.
func (w *fileWriter) ReadFrom(r io.Reader) (n int64, err error) {
	w.WriteHeader(http.StatusOK)
	limited, ok := r.(*io.LimitedReader)
	if ok && w.err == nil && w.x.client.raw != nil {
		if f, ok := limited.R.(*os.File); ok {
			n, w.err = w.x.client.sendFile(f, limited.N)
			return n, w.err
		}
	}
	return io.Copy(struct{ io.Writer }{w}, r)
}

// sendFile sends n bytes of f from where it stands.
func (c *conn) sendFile(f *os.File, n int64) (sent int64, err error) {
	in := int(f.Fd())
	var failed error
	err = c.raw.Write(func(fd uintptr) bool {
		for n > sent {
			m, err := unix.Sendfile(int(fd), in, nil, int(min(n-sent, 1<<20)))
			switch {
			case errors.Is(err, unix.EAGAIN):
				if c.writeBy.Load() == 0 {
					c.writeBy.Store(c.clock.after(c.writeWait))
				}
				return false
			case errors.Is(err, unix.EINTR):
				continue
			case err == nil && m == 0:
				err = io.ErrUnexpectedEOF // the file was cut
			}
			if err != nil {
				failed = err
				return true
			}
			if sent += int64(m); c.writeBy.Load() > 0 {
				c.writeBy.Store(c.clock.after(c.writeWait))
			}
		}
		return true
	})
	c.sent += sent
	if late := settle(&c.writeBy); late != nil {
		return sent, late
	}
	return sent, errors.Join(err, failed)
}
