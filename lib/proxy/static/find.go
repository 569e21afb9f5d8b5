// Package static answers requests with files.
//
// A [Finder] finds the [File] that a path names, and its compressed twin. The file
// goes to a [Sink]: by itself for what nearly all clients ask for, by
// http.ServeContent through a [Writer] for the rest.
package static

import (
	"bytes"
	"log/slog"
	"syscall"
	"time"

	"passenger/lib/http1"
	"passenger/lib/loglimit"
	"passenger/lib/proxy/files"
	"passenger/lib/security"
)

// A Finder finds the file that answers a request for an app.
type Finder struct {
	Files   *files.Files
	Misses  *files.Misses // of all apps: files that were not there a moment ago
	Now     time.Time
	App     string
	Escapes *loglimit.Limiter // of links that lead out of the static files
}

// Find opens the file that path, which is below the app's base URI, names, and says
// whether there is one. The compressed twin is taken where q accepts that. space is
// for the file's name, and then for what [File.Send] needs.
func (d *Finder) Find(s *File, q *http1.Request, path, space []byte) bool {
	if len(path) == 0 {
		return false
	}
	// A last element without a dot rather names a page of the app.
	plain := bytes.IndexByte(path[bytes.LastIndexByte(path, '/')+1:], '.') < 0
	hash := d.Files.Missed(path)
	if plain && d.Misses.Has(hash, d.Now) {
		return false
	}
	name, ok := AppendFileName(space[:0], path)
	if !ok {
		return false
	}
	if name, ok = d.findFile(s, name); !ok {
		if plain {
			d.Misses.Add(hash, d.Now)
		}
		return false
	}
	if s.kind = files.TypeOf(name); fingerprinted(name) {
		s.CacheControl = forAYear
	}
	if !s.kind.Packed {
		d.pack(s, q.Find(http1.AcceptEncoding), name)
	}
	s.at = len(name) + longestSuffix
	return true
}

// pageSuffix follows the path of a page in the name of the file that an app
// keeps it in, as Phusion Passenger has it; indexName is that of a directory.
const (
	pageSuffix = ".html"
	indexName  = "index.html"
)

// findFile opens the file of a name, or the kept page, in the first release
// that has it. name has room behind it.
func (d *Finder) findFile(s *File, name []byte) (found []byte, ok bool) {
	f := d.Files
	for _, r := range f.Roots {
		if found, ok = d.findIn(r, s, name); ok {
			return found, true
		}
	}
	if len(f.Former) == 0 || !fingerprinted(name) {
		return nil, false
	}
	for _, r := range f.Former {
		if found, ok = d.findIn(r, s, name); ok {
			return found, true
		}
	}
	return nil, false
}

func (d *Finder) findIn(r *files.Root, s *File, name []byte) (found []byte, ok bool) {
	var err, err2 error
	s.root = r
	if s.file, err = r.Look(append(name, 0), d.Now); err == nil {
		return name, true
	}
	if !bytes.HasSuffix(name, []byte(pageSuffix)) {
		page := append(name, pageSuffix...)
		if s.file, err2 = r.Look(append(page, 0), d.Now); err2 == nil {
			return page, true
		}
	}
	if (err == syscall.EXDEV || err2 == syscall.EXDEV) && d.Escapes.Due() {
		slog.Warn("file was not sent: a symbolic link leads out of the static files", security.PathRefused.Attr(), "app", d.App, "dir", r.Path, "file", string(name))
	}
	return nil, false
}

// MaxFileName is the longest name of a file, as the kernel has it.
const MaxFileName = 4096 - 1 - len(indexName) - longestSuffix

// AppendFileName appends the name of the file, below the directory, that a
// path stands for. ok is false if it can be for none: it has empty elements or
// hidden ones, but for a first .well-known, or bytes that no name should have.
func AppendFileName(b, path []byte) (name []byte, ok bool) {
	path = bytes.TrimPrefix(path, []byte{'/'})
	if len(path) == 0 {
		return append(b, indexName...), true
	}
	if len(path) > MaxFileName {
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

// pack takes the compressed twin of a file, if the client takes that, unless it
// is older than the file. name has room for a suffix. A twin that is missing is
// not looked for again within a second, like a page.
func (d *Finder) pack(s *File, accepted, name []byte) {
	for _, c := range codings {
		if !accepts(accepted, c.coding) {
			continue
		}
		packed := append(name, c.suffix...)
		hash := d.Files.Missed(packed)
		if d.Misses.Has(hash, d.Now) {
			continue
		}
		twin, err := s.root.Look(append(packed, 0), d.Now)
		switch {
		case err != nil:
			d.Misses.Add(hash, d.Now)
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
