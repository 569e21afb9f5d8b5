package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A dialect is how a language writes values, as far as they are known without
// running anything.
type dialect struct {
	comment string // that goes on to the end of the line
	block   bool   // /* comments */
	quotes  string
	triple  bool // """texts""" of several lines
	tuple   bool // (a, b) is a list
	symbols bool // :name is a text, and %w[a b] a list
	words   map[string]kind
	fold    string // what a text in these quotes may have, so that it is code
	joins   string // words behind which a statement goes on
}

var (
	javaScript = &dialect{comment: "//", block: true, quotes: "\"'`", fold: "${",
		words: map[string]kind{"true": truth, "false": truth, "null": null, "undefined": null}}
	python = &dialect{comment: "#", quotes: "\"'", triple: true, tuple: true,
		words: map[string]kind{"True": truth, "False": truth, "None": null}}
	ruby = &dialect{comment: "#", quotes: "\"'", symbols: true, fold: "#{", joins: ",\\|&.",
		words: map[string]kind{"true": truth, "false": truth, "nil": null}}
)

// A parser reads values from a piece of a file.
type parser struct {
	*dialect
	text   string
	pos    int
	line   int // of pos
	depth  int
	leaves int

	endless bool // a comment does not close
}

var (
	errDepth  = fmt.Errorf("values in values in values, over %d deep", maxDepth)
	errLeaves = fmt.Errorf("more than %d values; it is not a file of settings", maxLeaves)
)

// parse reads a text that is one value; what is none that is known is code.
func (d *dialect) parse(s string, line int) (*value, error) {
	p := &parser{dialect: d, text: s, line: line}
	return p.value(true)
}

// strict is parse for a file that is one value and nothing else.
func (d *dialect) strict(s string) (*value, error) {
	v, err := d.parse(s, 1)
	if err == nil && v.kind == code {
		err = notOneValue(s)
	}
	return v, err
}

// notOneValue says where a file stops being JSON, if comments do not hide that.
func notOneValue(s string) error {
	var wrong *json.SyntaxError
	if err := json.Unmarshal([]byte(s), new(json.RawMessage)); errors.As(err, &wrong) && !strings.Contains(s, "//") && !strings.Contains(s, "/*") {
		return fmt.Errorf("line %d: %w", 1+strings.Count(s[:min(int(wrong.Offset), len(s))], "\n"), err)
	}
	return errors.New("it is not one object, from its beginning to its end")
}

// value reads the value at pos. The whole text, or an entry of a list or an
// object, has to end behind it; else all of that is code.
func (p *parser) value(whole bool) (*value, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errDepth
	}
	defer func() { p.depth-- }()
	if p.leaves++; p.leaves > maxLeaves {
		return nil, errLeaves
	}
	p.space()
	pos, line := p.pos, p.line
	v, err := p.literal()
	if err != nil {
		return nil, err
	}
	if v != nil {
		v.line, v.end = line, p.line
		p.space()
		if p.pos == len(p.text) || !whole && strings.ContainsRune(",]})", rune(p.text[p.pos])) {
			return v, nil
		}
	}
	p.pos, p.line = pos, line
	p.code(whole)
	return &value{kind: code, text: strings.TrimSpace(p.text[pos:p.pos]), line: line, end: p.line}, nil
}

// literal reads a value that is known, nil for another.
func (p *parser) literal() (*value, error) {
	if p.pos == len(p.text) {
		return nil, nil
	}
	c := p.text[p.pos]
	switch {
	case c == '{':
		return p.object()
	case c == '[' || c == '(' && p.tuple:
		return p.list(c)
	case p.symbols && strings.HasPrefix(p.text[p.pos:], "%w"):
		return p.percentWords(), nil
	case p.symbols && c == ':':
		p.pos++
		if name := p.word(); name != "" {
			return &value{kind: text, text: name}, nil
		}
		return nil, nil
	case strings.IndexByte(p.quotes, c) >= 0:
		return p.string(), nil
	case c == '-' || c == '+' || c == '.' || c >= '0' && c <= '9':
		return p.number(), nil
	}
	start := p.pos
	name := p.word()
	if p.triple && len(name) == 1 && strings.Contains("rRbBuU", name) && p.pos < len(p.text) && strings.IndexByte(p.quotes, p.text[p.pos]) >= 0 {
		return p.string(), nil
	}
	if k, ok := p.dialect.words[name]; ok {
		return &value{kind: k, text: strings.ToLower(name)}, nil
	}
	p.pos = start
	return nil, nil
}

// percentWords reads %w[a b].
func (p *parser) percentWords() *value {
	if len(p.text) < p.pos+3 {
		return nil
	}
	i := strings.IndexByte("[({<", p.text[p.pos+2])
	if i < 0 {
		return nil
	}
	end := strings.IndexByte(p.text[p.pos:], "])}>"[i])
	if end < 0 {
		return nil
	}
	v := &value{kind: list}
	for _, w := range strings.Fields(p.text[p.pos+3 : p.pos+end]) {
		v.items = append(v.items, &value{kind: text, text: w, line: p.line, end: p.line})
	}
	p.advance(end + 1)
	p.leaves += len(v.items)
	return v
}

// word reads a name.
func (p *parser) word() string {
	start := p.pos
	for p.pos < len(p.text) {
		if c := p.text[p.pos]; !wordByte(c) {
			break
		}
		p.pos++
	}
	return p.text[start:p.pos]
}

func wordByte(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= utf8.RuneSelf
}

func (p *parser) number() *value {
	start := p.pos
	if c := p.text[p.pos]; c == '-' || c == '+' {
		p.pos++
	}
	for p.pos < len(p.text) && (wordByte(p.text[p.pos]) || p.text[p.pos] == '.') {
		p.pos++
	}
	v := &value{kind: number, text: p.text[start:p.pos]}
	plain := strings.ReplaceAll(v.text, "_", "")
	if _, err := strconv.ParseFloat(plain, 64); err != nil {
		if _, err := strconv.ParseInt(plain, 0, 64); err != nil {
			return nil
		}
	}
	return v
}

// string reads a text; those that follow each other are one in Python.
func (p *parser) string() *value {
	whole := ""
	for {
		s, ok := p.quoted()
		if !ok {
			return nil
		}
		whole += s
		if !p.triple {
			break
		}
		pos, line := p.pos, p.line
		p.space()
		if p.pos == len(p.text) || strings.IndexByte(p.quotes, p.text[p.pos]) < 0 {
			p.pos, p.line = pos, line
			break
		}
	}
	return &value{kind: text, text: whole}
}

// quoted reads what is between quotes. It fails on what only the program knows.
func (p *parser) quoted() (string, bool) {
	inside, end, ok := p.between()
	if !ok {
		return "", false
	}
	quote := p.text[p.pos]
	p.advance(end)
	if p.fold != "" && (quote == '"' && p.symbols || quote == '`') && strings.Contains(inside, p.fold) {
		return "", false
	}
	if quote == '\'' && p.symbols { // Ruby's knows two of them
		return strings.NewReplacer(`\\`, `\`, `\'`, `'`).Replace(inside), true
	}
	return unescaped(inside), true
}

// between is what is inside the quotes at pos, and the length of all. If they do
// not close, all is what could be inside.
func (p *parser) between() (inside string, length int, closed bool) {
	rest := p.text[p.pos:]
	mark := rest[:1]
	if p.triple && strings.HasPrefix(rest, strings.Repeat(mark, 3)) {
		mark = rest[:3]
	}
	for i := len(mark); i < len(rest); i++ {
		switch {
		case rest[i] == '\\':
			i++
		case rest[i] == '\n' && len(mark) == 1 && mark != "`":
			return "", i, false
		case strings.HasPrefix(rest[i:], mark):
			return rest[len(mark):i], i + len(mark), true
		}
	}
	return "", len(rest), false
}

var escapes = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\r`, "\r", `\"`, `"`, `\'`, `'`, `\/`, `/`, "\\`", "`", "\\\n", "")

func unescaped(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	if t, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.ReplaceAll(s, `\/`, `/`), `\'`, `'`) + `"`); err == nil {
		return t
	}
	return escapes.Replace(s)
}

func (p *parser) list(open byte) (*value, error) {
	v := &value{kind: list}
	closing := byte(']')
	if open == '(' {
		closing = ')'
	}
	p.pos++
	commas := 0
	for {
		p.space()
		switch {
		case p.pos == len(p.text):
			return nil, nil
		case p.text[p.pos] == closing:
			p.pos++
			if open == '(' && commas == 0 && len(v.items) == 1 { // in parentheses, and no tuple
				return v.items[0], nil
			}
			return v, nil
		case p.text[p.pos] == ',':
			p.pos++
			commas++
			continue
		}
		start := p.pos
		i, err := p.value(false)
		if err != nil {
			return nil, err
		}
		if p.pos == start {
			return nil, nil // another bracket closes
		}
		v.items = append(v.items, i)
	}
}

func (p *parser) object() (*value, error) {
	v := &value{kind: object}
	p.pos++
	for {
		p.space()
		switch {
		case p.pos == len(p.text):
			return nil, nil
		case p.text[p.pos] == '}':
			p.pos++
			return v, nil
		case p.text[p.pos] == ',':
			p.pos++
			continue
		}
		start := p.pos
		f, err := p.field()
		if err != nil {
			return nil, err
		}
		if p.pos == start {
			return nil, nil
		}
		v.fields = append(v.fields, f)
	}
}

// field reads an entry of an object. What has no key that is known, such as
// ...others, is code.
func (p *parser) field() (field, error) {
	pos, line := p.pos, p.line
	name, ok := p.key()
	if ok {
		p.space()
		rest := p.text[p.pos:]
		switch {
		case strings.HasPrefix(rest, "=>"):
			p.pos += 2
		case strings.HasPrefix(rest, ":"):
			p.pos++
		default:
			ok = false
		}
	}
	if !ok {
		p.pos, p.line = pos, line
		p.code(false)
		text := strings.TrimSpace(p.text[pos:p.pos])
		return field{shortened(text), line, &value{kind: code, text: text, line: line, end: p.line}}, nil
	}
	v, err := p.value(false)
	return field{name, line, v}, err
}

func (p *parser) key() (string, bool) {
	c := p.text[p.pos]
	if strings.IndexByte(p.quotes, c) >= 0 {
		return p.quoted()
	}
	if c == ':' && p.symbols {
		p.pos++
	}
	name := p.word()
	return name, name != ""
}
