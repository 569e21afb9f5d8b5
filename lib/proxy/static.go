package proxy

import (
	"bytes"
	"errors"
	"log/slog"
	"os"

	"passenger/lib/http1"
)

// Files are an app's static files. They are opened beneath the directory: a
// symbolic link that leads out of it is not followed.
type files struct {
	dir        string
	generation int
	tree       *tree // nil if there is no such directory
}

// files returns the app's static files: those of the route's generation, so
// that a directory that a deploy replaced is opened anew. p.mu is held.
func (a *app) files(dir string, generation int) *tree {
	f := &a.static
	again := f.dir == dir && f.generation == generation
	if again && f.tree != nil {
		return f.tree
	}
	// Requests may use the old tree still; the garbage collector closes it.
	*f = files{dir: dir, generation: generation}
	if dir == "" {
		return nil
	}
	var err error
	if f.tree, err = openTree(dir); err != nil && !errors.Is(err, os.ErrNotExist) && !again {
		slog.Warn("static files cannot be read; the app is asked for them", "app", a.name, "err", err)
	}
	return f.tree
}

// static answers the request from a file, if it can be for one. done says that
// it did, and again whether the connection can go on.
func (x *exchange) static() (done, again bool) {
	path, ok := x.filePath()
	if !ok {
		return false, false
	}
	b := takeBuffer(medium)
	defer b.free()
	name, ok := appendFileName(b.b[:0], path)
	if !ok {
		return false, false
	}
	s := staticFile{kind: typeOf(name)}
	var err error
	if s.file, err = x.mount.files.look(append(name, 0)); err != nil {
		return false, false
	}
	s.fresh = fingerprinted(name)
	if !s.kind.packed {
		x.pack(&s, name)
	}
	again = x.sendStatic(&s, b, len(name)+longestSuffix)
	s.file.close()
	return true, again
}

// filePath is the part of the target that may name a file. Only paths with a
// dot in their last element do, so that an app's own pages cost no look at the
// disk.
func (x *exchange) filePath() (path []byte, ok bool) {
	if !x.reads() || x.req.ContentLength > 0 || x.req.Chunked || x.upgrade {
		return nil, false
	}
	path = x.req.Path[len(x.mount.base):]
	return path, bytes.IndexByte(path[bytes.LastIndexByte(path, '/')+1:], '.') >= 0
}

// maxFileName is the longest name of a file, as the kernel has it.
const maxFileName = 4096 - 1 - longestSuffix

// appendFileName appends the name of the file, below the directory, that a
// path stands for. ok is false if it can be for none: it has empty elements or
// hidden ones, but for a first .well-known, or bytes that no name should have.
func appendFileName(b, path []byte) (name []byte, ok bool) {
	path = bytes.TrimPrefix(path, []byte{'/'})
	if len(path) > maxFileName {
		return nil, false
	}
	start := len(b)
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' {
			if i+2 >= len(path) {
				return nil, false
			}
			high, low := hexValue(path[i+1]), hexValue(path[i+2])
			if high < 0 || low < 0 {
				return nil, false
			}
			c, i = byte(high<<4|low), i+2
		}
		if c == 0 || c == '\\' {
			return nil, false
		}
		b = append(b, c)
	}
	name = b[start:]
	for rest := name; ; {
		element, more, found := bytes.Cut(rest, []byte{'/'})
		hidden := len(element) == 0 || element[0] == '.'
		if hidden && (len(rest) != len(name) || string(element) != ".well-known") {
			return nil, false
		}
		if !found {
			return name, true
		}
		rest = more
	}
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// codings are what a file's compressed twins end in, the best first.
var codings = [...]struct{ suffix, coding string }{{".br", "br"}, {".gz", "gzip"}}

const longestSuffix = len(".br\x00")

// pack takes the compressed twin of a file, if the client takes that, unless
// it is older than the file. name has room behind it.
func (x *exchange) pack(s *staticFile, name []byte) {
	accepted := x.req.Find(http1.AcceptEncoding)
	if accepted == nil {
		return
	}
	for _, c := range codings {
		if !accepts(accepted, c.coding) {
			continue
		}
		twin, err := x.mount.files.look(append(append(name, c.suffix...), 0))
		switch {
		case err != nil:
		case twin.modified.Before(s.file.modified):
			twin.close()
		default:
			s.file.close()
			s.file, s.coding = twin, c.coding
			return
		}
	}
}

// accepts says whether an Accept-Encoding names a coding, and not to refuse it.
func accepts(list []byte, coding string) bool {
	for len(list) > 0 {
		var element []byte
		element, list = http1.NextToken(list)
		name, weight, _ := bytes.Cut(element, []byte{';'})
		if !http1.EqualFold(bytes.TrimSpace(name), coding) {
			continue
		}
		// RFC 9110, 12.4.2: what is not 0, 0.0, 0.00 or 0.000 is no refusal.
		weight = bytes.TrimSpace(weight)
		return len(weight) < 2 || weight[0]|0x20 != 'q' || len(bytes.Trim(weight[2:], "0. ")) > 0
	}
	return false
}

// fingerprinted says that a name has 8 to 64 hexadecimal digits before the
// extension, so that it changes with the content.
func fingerprinted(name []byte) bool {
	name = name[bytes.LastIndexByte(name, '/')+1:]
	for i, c := range name {
		if c != '-' && c != '.' {
			continue
		}
		n := i + 1
		for n < len(name) && (name[n] >= '0' && name[n] <= '9' || name[n] >= 'a' && name[n] <= 'f') {
			n++
		}
		if digits := n - i - 1; digits >= 8 && digits <= 64 && n < len(name) && name[n] == '.' {
			return true
		}
	}
	return false
}
