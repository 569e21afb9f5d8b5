package app

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"passenger/lib/jsonkey"
	"passenger/lib/protocol"
)

// Parse reads settings from JSON. The error names all keys that are wrong, in
// order. Options of Phusion Passenger that mean nothing here are none: they are
// in Unused, so that one file serves both.
func Parse(b []byte) (protocol.AppConfig, error) {
	var c protocol.AppConfig
	entries, err := entriesOf(b)
	if err != nil {
		return c, err
	}
	wrong := twice(b)
	slices.SortStableFunc(entries, func(a, b setting) int { return cmp.Compare(a.key, b.key) })
	for i, e := range entries {
		switch {
		case known[e.key] == nil && unused(e.key) != "":
			if i == 0 || entries[i-1].key != e.key {
				c.Unused = append(c.Unused, e.key)
			}
		case known[e.key] == nil && len(wrong) < mostTold:
			wrong = append(wrong, &Mistake{e.line, fmt.Errorf("unknown key %q%s", shortened(e.key), unknownKey(e.key))})
		case known[e.key] == nil:
			wrong = append(wrong, errUnknownKey)
		case bytes.Equal(e.value, []byte("null")):
			wrong = append(wrong, &Mistake{e.line, fmt.Errorf("key %q is null; leave it out for the default", e.key)})
		default:
			wrong = append(wrong, e.into(&c))
			if e.key == "processes" {
				wrong = append(wrong, at(e.line, unknownSideKeys(e.value)))
			}
		}
	}
	return c, together(wrong)
}

// Bounds of what is made of a file that makes no sense. An app's user writes it,
// and it is told in logs and in the status of all apps.
const (
	maxSettings = 1000 // more than there are, Phusion Passenger's among them
	mostTold    = 20   // of what is wrong
	maxToldKey  = 100  // bytes of a key
)

// errUnknownKey stands for one that is counted and not told.
var errUnknownKey = errors.New("unknown key")

// shortened is the beginning of a key that no setting has.
func shortened(key string) string {
	if len(key) > maxToldKey {
		return key[:maxToldKey] + "..."
	}
	return key
}

// A setting is a key of a settings file with its value.
type setting struct {
	key   string
	value json.RawMessage
	line  int // on which the value begins
}

// entriesOf splits the one object that settings are.
func entriesOf(b []byte) ([]setting, error) {
	b = bytes.TrimPrefix(b, []byte(byteOrderMark))
	var whole map[string]json.RawMessage // tells what is wrong with it, if anything is
	if err := json.Unmarshal(b, &whole); err != nil {
		return nil, notSettings(b, err)
	}
	if whole == nil {
		return nil, nil // null
	}
	var entries []setting
	d := json.NewDecoder(bytes.NewReader(b))
	_, err := d.Token() // the brace
	for err == nil && d.More() {
		var key json.Token
		if key, err = d.Token(); err != nil {
			break
		}
		var value json.RawMessage
		err = d.Decode(&value)
		if len(entries) == maxSettings {
			return nil, fmt.Errorf("more than %d keys; it is not a file of settings", maxSettings)
		}
		entries = append(entries, setting{key.(string), value, lineAt(b, d.InputOffset()-int64(len(value)))})
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("internal error: %w", err)
	}
	return entries, nil
}

// twice tells of the keys that stand twice: which of two values was meant is
// not for us to say.
func twice(b []byte) (wrong []error) {
	for _, t := range jsonkey.Twins(b, mostTold) {
		line := lineAt(b, int64(t.Offset))
		wrong = append(wrong, &Mistake{line, fmt.Errorf("line %d: key %q stands twice; remove one of the two", line, shortened(t.Path))})
	}
	return wrong
}

// into sets the key.
func (e setting) into(c *protocol.AppConfig) error {
	err := json.Unmarshal(fmt.Appendf(nil, "{%q:%s}", e.key, e.value), c)
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}
	takes, found := kindName(known[e.key]), "not "+valueName(wrong.Value)
	if _, number, _ := strings.Cut(wrong.Value, " "); kindName(wrong.Type) == "a whole number" && isWhole(number) {
		return &Mistake{e.line, fmt.Errorf("line %d: key %q: %s is too large a number", e.line, e.key, number)}
	}
	if kindName(wrong.Type) != takes {
		found += " in it"
	}
	return &Mistake{e.line, fmt.Errorf("line %d: key %q takes %s, %s", e.line, e.key, takes, found)}
}

// Lines tells on which line of a file of settings the value of each key begins.
// It is empty if the file cannot be read.
func Lines(path string) map[string]int {
	lines := map[string]int{}
	f, _, err := openSettings(path)
	if err != nil {
		return lines
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil || len(b) > maxFile {
		return lines
	}
	entries, _ := entriesOf(b) // what is wrong is told where it is read for use
	for _, e := range entries {
		lines[e.key] = e.line
	}
	return lines
}

func lineAt(b []byte, offset int64) int {
	return 1 + bytes.Count(b[:min(int(offset), len(b))], []byte("\n"))
}

// A Mistake is one thing that is wrong in a file of settings.
type Mistake struct {
	Line int
	Err  error
}

// at is a mistake on a line, nil for no error.
func at(line int, err error) error {
	if err == nil {
		return nil
	}
	return &Mistake{line, err}
}

func (m *Mistake) Error() string { return m.Err.Error() }
func (m *Mistake) Unwrap() error { return m.Err }

// Text is the error for one who is told the line beside it.
func (m *Mistake) Text() string {
	return strings.TrimPrefix(m.Err.Error(), fmt.Sprintf("line %d: ", m.Line))
}

// Errors are several things that are wrong, one a line.
type Errors []error

func (e Errors) Error() string {
	lines := make([]string, min(len(e), mostTold))
	for i := range lines {
		lines[i] = "\n  " + e[i].Error()
	}
	if more := len(e) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("\n  and %d more", more))
	}
	return fmt.Sprintf("%d settings are wrong:%s", len(e), strings.Join(lines, ""))
}

func (e Errors) Unwrap() []error { return e }

// together is one error of those that are not nil, nil if there is none.
func together(errs []error) error {
	var all Errors
	for _, err := range errs {
		if several, ok := err.(Errors); ok {
			all = append(all, several...)
		} else if err != nil {
			all = append(all, err)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all
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
	case reflect.Struct:
		return "an object"
	}
	if t.Elem().Kind() == reflect.Struct {
		return "an object of objects"
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
