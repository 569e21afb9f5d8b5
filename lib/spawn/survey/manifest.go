package survey

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/trail"
)

// The bounds of a manifest. What is over them is left out, and the manifest says
// so. The app's user fills the directory, perhaps to keep us busy.
const (
	maxFiles   = 4000
	maxEntries = 40_000    // names that are looked at
	maxNames   = 300 << 10 // bytes of the names of files together
	maxBytes   = 64 << 20  // bytes that are read in all
	maxHashed  = 4 << 20   // of one file; of a larger one size and time count
	maxTime    = 2 * time.Second
)

// A ManifestQuestion asks for the manifest of a release.
type ManifestQuestion struct {
	Question Question `json:"question"`

	// Before is an earlier manifest of it, nil for none. A file that has the same
	// size, inode and time of change since is not read again.
	Before *Manifest `json:"before,omitempty"`
}

// A Manifest says what the code files of a release are.
type Manifest struct {
	Release string    `json:"release"` // its path
	At      time.Time `json:"at"`

	// Files are those that look like code, sorted by path.
	Files []File `json:"files"`

	// Partial says why some are left out, empty if none is.
	Partial string `json:"partial,omitempty"`
}

// A File is one in a manifest.
type File struct {
	Path    string `json:"path"` // below the release
	Size    int64  `json:"size"`
	Inode   uint64 `json:"inode"`
	Changed int64  `json:"changed"`       // time of its last change, nanoseconds since 1970; no user can set it
	Sum     string `json:"sum,omitempty"` // the first 16 bytes of its SHA-256, empty if it was not read
}

// Take answers the question, in this process, which may hang for it.
func (q ManifestQuestion) Take() (*Manifest, error) { return q.takeWithin(maxTime) }

// takeWithin is Take with another bound of its time.
func (q ManifestQuestion) takeWithin(limit time.Duration) (*Manifest, error) {
	c := q.Question.Config
	if q.Question.Release == nil {
		return nil, fmt.Errorf("app %q: manifest of no release", c.Name)
	}
	t, err := trail.Follow(q.Question.Release.Path)
	if err != nil {
		return nil, fmt.Errorf("app %q: release %q: %w", c.Name, q.Question.Release.Path, err)
	}
	defer t.Close()
	as, err := q.Question.reader(t.Owner())
	if err != nil {
		return nil, err
	}
	w := &walk{limit: limit, until: time.Now().Add(limit), m: &Manifest{Release: t.Path, At: time.Now(), Files: []File{}}, before: map[string]File{}}
	if q.Before != nil {
		for _, f := range q.Before.Files {
			w.before[f.Path] = f
		}
	}
	err = run(as, func() error { return w.take(fmt.Sprintf("/proc/self/fd/%d", t.File.Fd())) })
	slices.SortFunc(w.m.Files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	return w.m, err
}

// A walk is a manifest in the making.
type walk struct {
	m                    *Manifest
	before               map[string]File
	root                 *os.Root
	limit                time.Duration
	until                time.Time
	entries, names, read int
}

// take goes through the directories of a release level by level, so that what is
// left out of a large one lies deep in it.
func (w *walk) take(at string) (err error) {
	if w.root, err = os.OpenRoot(at); err != nil {
		return err
	}
	defer w.root.Close()
	for level := []string{"."}; len(level) > 0 && w.m.Partial == ""; {
		var next []string
		for _, dir := range level {
			next = append(next, w.directory(dir)...)
		}
		level = next
	}
	return nil
}

// directory notes the files of a directory and returns its directories. One that
// may not be read has none that the app could run.
func (w *walk) directory(dir string) (below []string) {
	d, err := w.root.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	entries, err := d.ReadDir(maxEntries - w.entries)
	if w.entries += len(entries); err == nil && w.entries >= maxEntries {
		w.m.Partial = fmt.Sprintf("it has over %d names", maxEntries)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		switch {
		case w.m.Partial != "":
			return below
		case e.IsDir() && !withoutCode[name] && !strings.HasPrefix(e.Name(), ".") && e.Name() != "__pycache__":
			below = append(below, name)
		case e.Type().IsRegular() && isCode(e.Name()):
			w.file(name)
		}
	}
	return below
}

func (w *walk) file(name string) {
	fi, err := w.root.Lstat(name)
	st, ok := sys(fi)
	if err != nil || !ok || !fi.Mode().IsRegular() {
		return
	}
	f := File{Path: name, Size: fi.Size(), Inode: st.Ino, Changed: st.Ctim.Nano()}
	if old := w.before[name]; old.same(f) {
		f.Sum = old.Sum
	} else if f.Size <= maxHashed {
		f.Sum = w.sum(name)
	}
	w.m.Files = append(w.m.Files, f)
	w.names += len(name)
	switch {
	case len(w.m.Files) == maxFiles || w.names > maxNames:
		w.m.Partial = fmt.Sprintf("it has over %d files of code, or long names", len(w.m.Files))
	case w.read > maxBytes:
		w.m.Partial = fmt.Sprintf("its code has over %d bytes", maxBytes)
	case time.Now().After(w.until):
		w.m.Partial = fmt.Sprintf("it takes over %v to read", w.limit)
	}
}

func sys(fi fs.FileInfo) (*syscall.Stat_t, bool) {
	if fi == nil {
		return nil, false
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	return st, ok
}

// sum reads a file, empty if it cannot be read. O_NONBLOCK, so that a FIFO that
// took its place does not keep us.
func (w *walk) sum(name string) string {
	f, err := w.root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return ""
	}
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, maxHashed))
	if w.read += int(n); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// same says that the file was not written to since.
func (f File) same(now File) bool {
	return f.Path == now.Path && f.Size == now.Size && f.Inode == now.Inode && f.Changed == now.Changed
}

// equal says that the file has the same contents, as far as was read.
func (f File) equal(now File) bool {
	if f.Sum != "" && now.Sum != "" {
		return f.Size == now.Size && f.Sum == now.Sum
	}
	return f.same(now)
}

// Differ returns the paths of files that are others in now, were added or are
// gone, sorted. Of partial manifests only files that both have are compared.
func (m *Manifest) Differ(now *Manifest) (paths []string) {
	whole := m.Partial == "" && now.Partial == ""
	then := map[string]File{}
	for _, f := range m.Files {
		then[f.Path] = f
	}
	for _, f := range now.Files {
		old, ok := then[f.Path]
		delete(then, f.Path)
		if ok && !old.equal(f) || !ok && whole {
			paths = append(paths, f.Path)
		}
	}
	if whole {
		for name := range then {
			paths = append(paths, name)
		}
	}
	slices.Sort(paths)
	return paths
}

// withoutCode are directories of a release that the app itself, or its users,
// write to.
var withoutCode = map[string]bool{"log": true, "tmp": true, "public": true, "storage": true, "uploads": true, "coverage": true, "test": true, "spec": true}

// codeSuffixes are those of files that interpreters load.
var codeSuffixes = strings.Fields(".rb .ru .rake .erb .haml .slim .jbuilder .gemspec .py .so .js .mjs .cjs .jsx .ts .mts .cts .tsx .vue .svelte .node .wasm " +
	".html .j2 .jinja .sh .json .yml .yaml .toml .ini .lock")

// isCode says that the name is one of a file that an app may run: of a known kind,
// or without a suffix, as programs and Gemfile.
func isCode(name string) bool {
	ext := path.Ext(name)
	return ext == "" || slices.Contains(codeSuffixes, ext)
}
