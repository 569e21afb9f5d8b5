package migrate

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// An item is one thing that a file says.
type item struct {
	name  string // as people would look for it: "workers", "apps[0].env.PORT"
	line  int    // counted from 1
	value *value // nil if it has none
}

type kind uint8

const (
	null kind = iota
	text
	number
	truth
	list
	object
	code // what only the program itself could evaluate
)

// A value is what a file says for an item.
type value struct {
	kind      kind
	text      string // of text, number, truth and code
	items     []*value
	fields    []field
	line, end int

	// variable is the environment variable whose default this is, if it is one.
	variable string

	told bool // that a note tells of it, or of each of its parts
}

// A field is a value of an object.
type field struct {
	name  string
	line  int
	value *value
}

// tell marks a value and its parts as told of.
func (v *value) tell() {
	if v.told {
		return
	}
	v.told = true
	for _, i := range v.items {
		i.tell()
	}
	for _, f := range v.fields {
		f.value.tell()
	}
}

// name is a value that has no name of its own.
func (v *value) name() string {
	if v.kind == list || v.kind == object {
		return "a value"
	}
	return shortened(v.text)
}

// leaves appends the single values of v.
func (v *value) leaves(to []*value) []*value {
	if len(v.items) == 0 && len(v.fields) == 0 {
		return append(to, v)
	}
	for _, i := range v.items {
		to = i.leaves(to)
	}
	for _, f := range v.fields {
		to = f.value.leaves(to)
	}
	return to
}

// field is the value of a name, nil if there is none.
func (v *value) field(name string) *value {
	if v == nil {
		return nil
	}
	for _, f := range v.fields {
		if f.name == name {
			return f.value
		}
	}
	return nil
}

// textOf is the text of a single value that is known without running anything.
func (v *value) textOf() (string, bool) {
	if v != nil && (v.kind == text || v.kind == number || v.kind == truth) {
		return v.text, true
	}
	return "", false
}

// textsOf are the texts of a list, or of one value.
func (v *value) textsOf() ([]string, bool) {
	if s, ok := v.textOf(); ok {
		return []string{s}, true
	}
	if v == nil || v.kind != list {
		return nil, false
	}
	texts := []string{}
	for _, i := range v.items {
		s, ok := i.textOf()
		if !ok {
			return nil, false
		}
		texts = append(texts, s)
	}
	return texts, true
}

var errCode = errors.New("only the program itself can tell its value")

// A conversion makes a setting's value of what a file says.
type conversion func(*value) (any, error)

func asText(v *value) (any, error) {
	if s, ok := v.textOf(); ok {
		return s, nil
	}
	return nil, v.unfit("a text")
}

// unfit says that a value is not what is needed.
func (v *value) unfit(want string) error {
	if v != nil && v.kind == code {
		return errCode
	}
	return fmt.Errorf("it is not %s", want)
}

func (v *value) number() (float64, error) {
	s, ok := v.textOf()
	if !ok {
		return 0, v.unfit("a number")
	}
	s = strings.ReplaceAll(s, "_", "")
	if strings.HasPrefix(s, "0x") {
		n, err := strconv.ParseInt(s, 0, 64)
		return float64(n), err
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, v.unfit("a number")
	}
	return n, nil
}

func asInteger(v *value) (any, error) {
	n, err := v.number()
	if err != nil {
		return nil, err
	}
	if n != math.Trunc(n) || math.Abs(n) > 1<<53 {
		return nil, v.unfit("a whole number")
	}
	return int64(n), nil
}

func asSeconds(v *value) (any, error) {
	n, err := v.number()
	return n, err
}

func asMilliseconds(v *value) (any, error) {
	n, err := v.number()
	return n / 1000, err
}

func asTruth(v *value) (any, error) {
	s, ok := v.textOf()
	if !ok {
		return nil, v.unfit("true or false")
	}
	switch strings.ToLower(s) {
	case "true", "on", "yes", "1":
		return true, nil
	case "false", "off", "no", "0":
		return false, nil
	}
	return nil, v.unfit("true or false")
}

// units are those of memory, in bytes.
var units = map[string]float64{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}

// asMegabytes is for memory: bytes, or a number with a unit such as 300M.
func asMegabytes(v *value) (any, error) {
	s, ok := v.textOf()
	if !ok {
		return nil, v.unfit("a size of memory")
	}
	s = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), "b")
	digits := strings.TrimRight(s, "kmg")
	n, err := strconv.ParseFloat(digits, 64)
	unit, known := units[s[len(digits):]]
	if err != nil || !known || !(n > 0 && n < 1<<50) {
		return nil, v.unfit("a size of memory")
	}
	return int64(math.Ceil(n * unit / (1 << 20))), nil
}

// asOctal is for a umask, which a file may have as a number.
func asOctal(v *value) (any, error) {
	s, ok := v.textOf()
	if !ok {
		return nil, v.unfit("an octal number")
	}
	if v.kind == number && !strings.HasPrefix(s, "0") {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil {
			return nil, v.unfit("an octal number")
		}
		return fmt.Sprintf("%04o", n), nil
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "0o"), 8, 16)
	if err != nil {
		return nil, v.unfit("an octal number")
	}
	return fmt.Sprintf("%04o", n), nil
}

// multiplied is the product of whole numbers, as a text.
func multiplied(s string) string {
	n := 1.0
	for factor := range strings.SplitSeq(s, "*") {
		f, _ := strconv.ParseFloat(strings.TrimSpace(factor), 64) // it is all digits
		n *= f
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}
