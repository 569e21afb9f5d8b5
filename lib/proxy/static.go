package proxy

import (
	"bytes"
	"log/slog"
	"syscall"

	"passenger/lib/http1"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/wire"
)

// static answers the request from a file, if it can be for one. done says that
// it did, and again whether the connection can go on.
func (x *exchange) static() (done, again bool) {
	path, plain, ok := x.filePath()
	if !ok {
		return false, false
	}
	f, p := x.req.mount.files, x.client.proxy
	hash := f.Missed(path)
	if plain && p.misses.Has(hash, x.req.began) {
		return false, false
	}
	b := wire.TakeBuffer(wire.Medium)
	defer b.Free()
	name, ok := appendFileName(b.B[:0], path)
	if !ok {
		return false, false
	}
	var s staticFile
	if name, ok = x.findFile(&s, name); !ok {
		if plain {
			p.misses.Add(hash, x.req.began)
		}
		return false, false
	}
	s.kind, s.fresh = files.TypeOf(name), fingerprinted(name)
	if !s.kind.Packed {
		x.pack(&s, name)
	}
	again = x.sendStatic(&s, b, len(name)+longestSuffix)
	s.file.Close()
	return true, again
}

// filePath is the part of the target that may name a file. plain says that its
// last element has no dot, so that it rather names a page of the app.
func (x *exchange) filePath() (path []byte, plain, ok bool) {
	if !x.req.reads() || x.req.ContentLength > 0 || x.req.Chunked || x.req.AsksUpgrade && x.req.mayUpgrade() {
		return nil, false, false
	}
	path = x.req.Path[len(x.req.mount.base):]
	return path, bytes.IndexByte(path[bytes.LastIndexByte(path, '/')+1:], '.') < 0, len(path) > 0
}

// pageSuffix follows the path of a page in the name of the file that an app
// keeps it in, as Phusion Passenger has it; indexName is that of a directory.
const (
	pageSuffix = ".html"
	indexName  = "index.html"
)

// findFile opens the file of a name, or the kept page, in the first release
// that has it. name has room behind it.
func (x *exchange) findFile(s *staticFile, name []byte) (found []byte, ok bool) {
	f := x.req.mount.files
	for _, r := range f.Roots {
		if found, ok = x.findIn(r, s, name); ok {
			return found, true
		}
	}
	if len(f.Former) == 0 || !fingerprinted(name) {
		return nil, false
	}
	for _, r := range f.Former {
		if found, ok = x.findIn(r, s, name); ok {
			return found, true
		}
	}
	return nil, false
}

func (x *exchange) findIn(r *files.Root, s *staticFile, name []byte) (found []byte, ok bool) {
	var err, err2 error
	s.root = r
	if s.file, err = r.Look(append(name, 0), x.req.began); err == nil {
		return name, true
	}
	if !bytes.HasSuffix(name, []byte(pageSuffix)) {
		page := append(name, pageSuffix...)
		if s.file, err2 = r.Look(append(page, 0), x.req.began); err2 == nil {
			return page, true
		}
	}
	if a := x.req.mount.app; (err == syscall.EXDEV || err2 == syscall.EXDEV) && a.complained.Due() {
		slog.Warn("file was not sent: a symbolic link leads out of the static files", "app", a.name, "dir", r.Path, "file", string(name))
	}
	return nil, false
}

// maxFileName is the longest name of a file, as the kernel has it.
const maxFileName = 4096 - 1 - len(indexName) - longestSuffix

// appendFileName appends the name of the file, below the directory, that a
// path stands for. ok is false if it can be for none: it has empty elements or
// hidden ones, but for a first .well-known, or bytes that no name should have.
func appendFileName(b, path []byte) (name []byte, ok bool) {
	path = bytes.TrimPrefix(path, []byte{'/'})
	if len(path) == 0 {
		return append(b, indexName...), true
	}
	if len(path) > maxFileName {
		return nil, false
	}
	path, inside := bytes.CutSuffix(path, []byte{'/'})
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
			break
		}
		rest = more
	}
	if inside {
		name = append(append(name, '/'), indexName...)
	}
	return name, true
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

const longestSuffix = len(pageSuffix + ".br\x00")

// pack takes the compressed twin of a file, if the client takes that, unless
// it is older than the file. name has room behind it. That there is none is
// known for a second, as of pages.
func (x *exchange) pack(s *staticFile, name []byte) {
	accepted, misses := x.req.Find(http1.AcceptEncoding), &x.client.proxy.misses
	for _, c := range codings {
		if !accepts(accepted, c.coding) {
			continue
		}
		packed := append(name, c.suffix...)
		hash := x.req.mount.files.Missed(packed)
		if misses.Has(hash, x.req.began) {
			continue
		}
		twin, err := s.root.Look(append(packed, 0), x.req.began)
		switch {
		case err != nil:
			misses.Add(hash, x.req.began)
		case twin.Modified.Before(s.file.Modified):
			twin.Close()
		default:
			s.file.Close()
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
// extension, so that it changes with the content. Some must be letters and some
// not, or they are rather a date, a number or a word.
func fingerprinted(name []byte) bool {
	name = name[bytes.LastIndexByte(name, '/')+1:]
	for i, c := range name {
		if c != '-' && c != '.' {
			continue
		}
		n, letters := i+1, 0
		for ; n < len(name) && (name[n] >= '0' && name[n] <= '9' || name[n] >= 'a' && name[n] <= 'f'); n++ {
			if name[n] >= 'a' {
				letters++
			}
		}
		if digits := n - i - 1; digits >= 8 && digits <= 64 && letters > 0 && letters < digits && n < len(name) && name[n] == '.' {
			return true
		}
	}
	return false
}
