package proxy

import (
	"bytes"
	"errors"
	"fmt"
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
	w.header.Set("Etag", entityTag(info))
	return true, x.serveFile(w, f, info, info.ModTime(), false)
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

// entityTag tells the contents of a file apart.
func entityTag(info os.FileInfo) string {
	return fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size())
}

// fingerprinted are names that change with the content.
var fingerprinted = regexp.MustCompile(`[-.][0-9a-f]{8,64}\.[^/]*$`)

func contentType(name string) string {
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}
