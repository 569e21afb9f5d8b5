// Package app knows what an application is: its settings, what kind it is and
// whether it can be run. It starts nothing.
package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"passenger/lib/protocol"
	"passenger/lib/spelling"
)

// File is the name of an app's own settings, in its directory.
const File = "Passengerfile.json"

// maxFile is the largest settings file, in bytes. Passenger has the same limit.
const maxFile = 512 << 10

// Load reads the settings of the app in dir: its Passengerfile.json, if there
// is one, and dir as the app root. The result is not validated.
func Load(dir string) (protocol.AppConfig, error) {
	c, _, err := LoadSigned(dir)
	return c, err
}

// LoadSigned is Load, and tells which user the Passengerfile.json belongs to: 0 if
// there is none.
func LoadSigned(dir string) (c protocol.AppConfig, author int, err error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return c, 0, fmt.Errorf("app directory %q: %w", dir, err)
	}
	if fi, err := os.Stat(root); err != nil {
		return c, 0, fmt.Errorf("app directory %q: %w%s", dir, unwrapPath(err), nearestDirectory(root))
	} else if !fi.IsDir() {
		return c, 0, fmt.Errorf("app directory %q: %w", dir, syscall.ENOTDIR)
	}
	c, author, err = readSigned(filepath.Join(root, File))
	if errors.Is(err, fs.ErrNotExist) {
		c, err = protocol.AppConfig{}, nil
	}
	if err != nil {
		return c, 0, err
	}
	switch {
	case c.AppRoot == "":
		c.AppRoot = root
	case !filepath.IsAbs(c.AppRoot):
		c.AppRoot = filepath.Join(root, c.AppRoot)
	}
	return c, author, nil
}

// readSigned is Read, and tells which user the file belongs to.
func readSigned(path string) (c protocol.AppConfig, author int, err error) {
	f, fi, err := openSettings(path)
	if err != nil {
		return c, 0, err
	}
	defer f.Close()
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		author = int(st.Uid)
	}
	c, err = readAt(path, f)
	return c, author, err
}

// openSettings opens a regular file. It does not wait for the writer of a FIFO.
func openSettings(path string) (*os.File, os.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, fi, nil
}

// nearestDirectory is a question after the directory beside path whose name is
// like it, empty if there is none.
func nearestDirectory(path string) string {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return spelling.DidYouMean(filepath.Base(path), names)
}

// Read reads one settings file, which must be a regular file. Unknown keys, values
// of the wrong type and anything that is not one JSON object are errors that name
// each key.
func Read(path string) (protocol.AppConfig, error) {
	c, _, err := readSigned(path)
	return c, err
}

func readAt(path string, r io.Reader) (protocol.AppConfig, error) {
	c, err := ReadFrom(r)
	if err != nil {
		return protocol.AppConfig{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// ReadFrom reads settings as Read does.
func ReadFrom(r io.Reader) (protocol.AppConfig, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return protocol.AppConfig{}, err
	}
	if len(b) > maxFile {
		return protocol.AppConfig{}, fmt.Errorf("larger than %d bytes", maxFile)
	}
	return Parse(b)
}

// Set sets one key from text, as in --set min_instances=2: JSON if the key
// wants it, else the text itself.
func Set(c *protocol.AppConfig, key, value string) error {
	if known[key] == nil {
		return fmt.Errorf("unknown key %q%s", key, unknownKey(key))
	}
	for _, text := range []string{value, quoted(value)} {
		changed := *c // a value that does not fit may leave half of it behind
		if json.Unmarshal(fmt.Appendf(nil, "{%q:%s}", key, text), &changed) == nil {
			*c = changed
			return nil
		}
	}
	return fmt.Errorf("key %q takes %s, not %q", key, kindName(known[key]), value)
}

func quoted(s string) string {
	b, _ := json.Marshal(s) // a string always has a JSON form
	return string(b)
}

// Keys lists the keys of a settings file, sorted.
func Keys() []string {
	keys := make([]string, 0, len(known))
	for k := range known {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// known are the keys of protocol.AppConfig, with what they take.
var known = func() map[string]reflect.Type {
	keys := map[string]reflect.Type{}
	t := reflect.TypeFor[protocol.AppConfig]()
	for _, f := range reflect.VisibleFields(t) {
		if key, _, _ := strings.Cut(f.Tag.Get("json"), ","); !f.Anonymous && key != "-" {
			keys[key] = f.Type
		}
	}
	return keys
}()

// unwrapPath drops the operation and path of a *fs.PathError that the caller
// names itself.
func unwrapPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
