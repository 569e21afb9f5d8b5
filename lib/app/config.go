// Package app knows what an application is: its settings, what kind it is and
// whether it can be run. It starts nothing.
package app

import (
	"bytes"
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
	root, err := filepath.Abs(dir)
	if err != nil {
		return protocol.AppConfig{}, fmt.Errorf("app directory %q: %w", dir, err)
	}
	if fi, err := os.Stat(root); err != nil {
		return protocol.AppConfig{}, fmt.Errorf("app directory %q: %w%s", dir, unwrapPath(err), nearestDirectory(root))
	} else if !fi.IsDir() {
		return protocol.AppConfig{}, fmt.Errorf("app directory %q: %w", dir, syscall.ENOTDIR)
	}
	c, err := Read(filepath.Join(root, File))
	if errors.Is(err, fs.ErrNotExist) {
		c, err = protocol.AppConfig{}, nil
	}
	if err != nil {
		return protocol.AppConfig{}, err
	}
	switch {
	case c.AppRoot == "":
		c.AppRoot = root
	case !filepath.IsAbs(c.AppRoot):
		c.AppRoot = filepath.Join(root, c.AppRoot)
	}
	return c, nil
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

// Read reads one settings file. An unknown key, a value of the wrong type and
// anything that is not one JSON object are errors that name the key.
func Read(path string) (protocol.AppConfig, error) {
	f, err := os.Open(path)
	if err != nil {
		return protocol.AppConfig{}, err
	}
	defer f.Close()
	c, err := ReadFrom(f)
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

// Parse reads settings from JSON.
func Parse(b []byte) (protocol.AppConfig, error) {
	var c protocol.AppConfig
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(b, &keys); err != nil {
		return c, jsonError(b, err)
	}
	for key, value := range keys {
		if known[key] == nil {
			return c, fmt.Errorf("unknown key %q%s", key, unknownKey(key))
		}
		if bytes.Equal(value, []byte("null")) {
			return c, fmt.Errorf("key %q is null; leave it out for the default", key)
		}
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, jsonError(b, err)
	}
	return c, nil
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
		if !f.Anonymous {
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			keys[key] = f.Type
		}
	}
	return keys
}()

// jsonError says in the words of a settings file what encoding/json says of
// Go, with the line.
func jsonError(b []byte, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("line %d: not JSON: %w", lineAt(b, syntax.Offset), err)
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		if wrong.Field == "" {
			return fmt.Errorf("the settings are a JSON %s, not an object", wrong.Value)
		}
		// An embedded struct is no key, but part of the path.
		key, _, _ := strings.Cut(strings.TrimPrefix(wrong.Field, "Serving."), ".")
		found := "not " + valueName(wrong.Value)
		if kindName(wrong.Type) != kindName(known[key]) {
			found += " in it"
		}
		return fmt.Errorf("line %d: key %q takes %s, %s", lineAt(b, wrong.Offset), key, kindName(known[key]), found)
	}
	return err
}

func lineAt(b []byte, offset int64) int {
	return 1 + bytes.Count(b[:min(int(offset), len(b))], []byte("\n"))
}

func kindName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list of strings"
	}
	return "an object of strings"
}

// valueName says in words what encoding/json calls "number 1.5" or "bool".
func valueName(v string) string {
	kind, number, _ := strings.Cut(v, " ")
	switch {
	case number != "":
		return number
	case kind == "array":
		return "a list"
	case kind == "object":
		return "an object"
	case kind == "bool":
		return "true or false"
	}
	return "a " + kind
}

// unwrapPath drops the operation and path of a *fs.PathError that the caller
// names itself.
func unwrapPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
