package files

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"passenger/lib/http1"
	"passenger/lib/protocol"
)

// A Sendfile is where the answers of a process may name a file that is sent in
// their place: with X-Sendfile by its path, with X-Accel-Redirect by a URL, as
// nginx has it.
type Sendfile struct {
	dirs      []location // by path, absolute and clean, longest prefix first
	locations []location // by URL, longest prefix first

	// Lines and Pairs are what the app is told of it, for the two protocols.
	Lines []byte
	Pairs [][2]string // names and values of variables
}

// A location is a directory and the beginning of the paths or URLs that stand
// for what is in it, up to a slash.
type location struct {
	prefix string
	dir    Place
}

// NewSendfile makes what the settings of a route mean for a process whose app
// lies in h; nil if its answers name no files.
func NewSendfile(r *protocol.Route, h *Home) *Sendfile {
	if len(r.SendfileDirs) == 0 && len(r.AccelLocations) == 0 {
		return nil
	}
	s := &Sendfile{}
	for _, d := range r.SendfileDirs {
		dir, ok := absolute(r, h, d, "sendfile_dirs")
		if !ok {
			continue
		}
		s.dirs = append(s.dirs, location{dir.Path, dir})
		// An app may name it by the symlink that led to its release.
		if r.AppRoot != "" && r.AppRoot != h.path && !filepath.IsAbs(d) {
			s.dirs = append(s.dirs, location{filepath.Join(r.AppRoot, d), dir})
		}
	}
	for prefix, dir := range r.AccelLocations {
		if dir, ok := absolute(r, h, dir, protocol.AccelLocationKey(prefix)); ok {
			s.locations = append(s.locations, location{prefix, dir})
		}
	}
	for _, list := range [...][]location{s.dirs, s.locations} {
		slices.SortFunc(list, func(a, b location) int { return len(b.prefix) - len(a.prefix) })
	}
	s.tell()
	return s
}

// absolute is the place of a directory that the setting key names.
func absolute(r *protocol.Route, h *Home, dir, key string) (p Place, ok bool) {
	if !filepath.IsAbs(dir) {
		if h.path == "" {
			return p, false // a pool of an earlier version does not say
		}
		dir = filepath.Join(h.path, dir)
	}
	return PlaceOf(r, h, filepath.Clean(dir), key), true
}

// tell makes the fields that Rack::Sendfile goes by.
func (s *Sendfile) tell() {
	kind := "X-Sendfile"
	if len(s.dirs) == 0 {
		kind = "X-Accel-Redirect"
	}
	s.Lines = fmt.Appendf(nil, "X-Sendfile-Type: %s\r\n", kind)
	s.Pairs = [][2]string{{"HTTP_X_SENDFILE_TYPE", kind}}
	var mapping []string
	for _, l := range s.locations {
		mapping = append(mapping, strings.TrimSuffix(l.dir.Path, "/")+"/="+l.prefix)
	}
	if len(mapping) > 0 {
		list := strings.Join(mapping, ", ")
		s.Lines = fmt.Appendf(s.Lines, "X-Accel-Mapping: %s\r\n", list)
		s.Pairs = append(s.Pairs, [2]string{"HTTP_X_ACCEL_MAPPING", list})
	}
}

// A Refusal is why a file that an answer names is not sent, and the status of
// the answer instead.
type Refusal struct {
	Status int
	Reason string
}

func (r *Refusal) Error() string { return r.Reason }

// RefusalOf tells a file that is not there from one that must not be sent, by the error of
// opening it.
func RefusalOf(err error) *Refusal {
	switch {
	case errors.Is(err, syscall.EXDEV), errors.Is(err, syscall.ELOOP), errors.Is(err, fs.ErrPermission):
		return &Refusal{Status: 403, Reason: err.Error()}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return &Refusal{Status: 503, Reason: err.Error()}
	}
	return &Refusal{Status: 404, Reason: err.Error()}
}

// Why a name is no good.
var (
	errOutside  = &Refusal{403, "it is in none of the sendfile_dirs"}
	errRelative = &Refusal{403, "it is not an absolute path"}
	errUnmapped = &Refusal{404, "none of the accel_locations begins it"}
	errNamed    = &Refusal{404, "named locations of nginx do not exist here"}
	errEscape   = &Refusal{404, "its percent-encoding is malformed"}
	errUnsafe   = &Refusal{404, `it has a ".." or a NUL in it`}
)

// A SentFile is the file that an answer names: name is relative to dir. header
// and value are what it was named by.
type SentFile struct {
	Dir                 Place
	Name, Header, Value string
}

// Find returns the file that an answer names. found is false if it names none.
func (s *Sendfile) Find(r *http1.Response) (f SentFile, found bool, err error) {
	if r.Status < 200 || r.Status == 204 || r.Status == 304 {
		return f, false, nil // it has no body that could be replaced
	}
	for i := range r.Count() {
		switch name := r.Name(i); {
		case len(s.locations) > 0 && http1.EqualFold(name, "x-accel-redirect"):
			f.Header, f.Value = "X-Accel-Redirect", string(r.Value(i))
			f.Dir, f.Name, err = s.byURL(f.Value)
			return f, true, err
		case len(s.dirs) > 0 && http1.EqualFold(name, "x-sendfile"):
			f.Header, f.Value = "X-Sendfile", string(r.Value(i))
			found = true // X-Accel-Redirect goes first
		}
	}
	if found {
		f.Dir, f.Name, err = s.byPath(f.Value)
	}
	return f, found, err
}

// byPath finds the directory that a path lies in. Nothing in it is an escape.
func (s *Sendfile) byPath(path string) (dir Place, name string, err error) {
	if !strings.HasPrefix(path, "/") {
		return dir, "", errRelative
	}
	if strings.ContainsRune(path, 0) {
		return dir, "", errUnsafe
	}
	path = filepath.Clean(path)
	for _, l := range s.dirs {
		if rest, ok := strings.CutPrefix(path, strings.TrimSuffix(l.prefix, "/")+"/"); ok && rest != "" {
			return l.dir, rest, nil
		}
	}
	return dir, "", errOutside
}

// byURL finds the directory of a location. As in nginx the query is cut off,
// what is left is decoded once, and ".." has no place in either form.
func (s *Sendfile) byURL(u string) (dir Place, name string, err error) {
	if strings.HasPrefix(u, "@") {
		return dir, "", errNamed
	}
	u, _, _ = strings.Cut(u, "?")
	path, err := url.PathUnescape(u)
	if err != nil {
		return dir, "", errEscape
	}
	if strings.ContainsRune(path, 0) || slices.Contains(strings.Split(path, "/"), "..") {
		return dir, "", errUnsafe
	}
	for _, l := range s.locations {
		if rest, ok := strings.CutPrefix(path, l.prefix); ok {
			return l.dir, strings.TrimLeft(rest, "/"), nil
		}
	}
	return dir, "", errUnmapped
}

// WithoutFile are the fields of an answer that say what its own body was, and
// nothing of the file's, or are for a server like this one.
var WithoutFile = map[string]bool{
	"Content-Length": true, "Content-Encoding": true, "Content-Range": true, "Accept-Ranges": true, "Trailer": true, "Date": true,
	"X-Sendfile": true, "X-Accel-Redirect": true, "X-Accel-Buffering": true, "X-Accel-Charset": true, "X-Accel-Expires": true,
	"X-Accel-Limit-Rate": true,
}
