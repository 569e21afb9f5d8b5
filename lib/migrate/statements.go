package migrate

import (
	"regexp"
	"strings"
)

// A statement is one of a program: an assignment, a call, or what only the
// program itself could run.
type statement struct {
	line, end int // counted from 1
	text      string
}

// statements splits a program. Comments and blank lines between them need no note.
// What follows the first line of a block belongs to it.
func (r *reading) statements(d *dialect) []statement {
	var all []statement
	offset := 0
	for i := 0; i < len(r.lines); {
		if blank(r.lines[i]) || strings.HasPrefix(strings.TrimSpace(r.lines[i]), d.comment) {
			r.skip(i+1, i+1)
			offset += len(r.lines[i]) + 1
			i++
			continue
		}
		end := r.statementEnd(d, i, offset)
		switch {
		case d == python && pythonBlock().MatchString(r.lines[i]):
			end = r.indentedEnd(end)
		case d == ruby:
			end = r.blockEnd(i, end)
		}
		text := strings.Join(r.lines[i:end], "\n")
		all = append(all, statement{i + 1, end, text})
		offset += len(text) + 1
		i = end
	}
	return all
}

func blank(line string) bool { return strings.TrimSpace(line) == "" }

// statementEnd is the line behind a statement: behind the brackets and quotes that
// are open at the end of its first line, and behind words that join lines.
func (r *reading) statementEnd(d *dialect, from, offset int) int {
	p := &parser{dialect: d, text: r.text[offset:], line: from + 1}
	open, last := 0, byte(0)
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		switch {
		case c == '\n' && open <= 0 && last != '\\' && strings.IndexByte(d.joins, last) < 0:
			return p.line
		case p.comments():
			continue
		case strings.IndexByte(d.quotes, c) >= 0:
			_, length, _ := p.between()
			p.advance(length)
			last = c
			continue
		case strings.IndexByte("([{", c) >= 0:
			open++
		case strings.IndexByte(")]}", c) >= 0:
			open--
		}
		if c > ' ' {
			last = c
		}
		p.advance(1)
	}
	return len(r.lines)
}

var (
	pythonBlock = pattern(`^\s*(async\s+def|def|class|if|for|while|with|try|match|@|elif|else|except|finally)\b|^\s*@`)
	pythonGoes  = pattern(`^(elif|else|except|finally|def|class|async)\b`)
)

// indentedEnd is the line behind a block of Python whose first line ends before
// line from.
func (r *reading) indentedEnd(from int) int {
	end := from
	decorated := strings.HasPrefix(strings.TrimSpace(r.lines[max(from-1, 0)]), "@")
	for i := from; i < len(r.lines); i++ {
		line := r.lines[i]
		switch {
		case blank(line):
			continue
		case line[0] == ' ' || line[0] == '\t':
		case pythonGoes().MatchString(line) && (decorated || !strings.HasPrefix(line, "def") && !strings.HasPrefix(line, "class") && !strings.HasPrefix(line, "async")):
			decorated = false
		default:
			return end
		}
		end = i + 1
	}
	return end
}

var (
	rubyOpens  = pattern(`\bdo\b\s*(\|[^|]*\|)?\s*(#.*)?$|^\s*(if|unless|while|until|case|def|class|module|begin|for)\b|=\s*(if|case|begin)\b`)
	rubyCloses = pattern(`^\s*end\b|;\s*end\s*$`)
)

// blockEnd is the line behind the blocks of Ruby that open in the lines from one
// to the one before end.
func (r *reading) blockEnd(from, end int) int {
	open := 0
	for i := from; i < len(r.lines); i++ {
		line := r.lines[i]
		if i >= end && open <= 0 {
			return i
		}
		if rubyOpens().MatchString(line) {
			open++
		}
		if rubyCloses().MatchString(line) {
			open--
		}
	}
	return len(r.lines)
}

// variables are what a program has assigned, for where it is used later.
type variables map[string]*assigned

type assigned struct {
	it   item
	used int // the line that uses it first; 0 for none
}

// usable says that the value is known. A list or an object is used once: several
// in several others would be more than anybody could read.
func (a *assigned) usable() bool {
	k := a.it.value.kind
	return k != code && (k != list && k != object || a.used == 0)
}

// note tells of each variable whether something used it.
func (vars variables) note(r *reading) {
	for _, a := range vars {
		switch elsewhere := regexp.MustCompile(`\b`+a.it.name+`\b`).FindAllStringIndex(r.text, 2); {
		case a.used > 0:
			r.notef(a.it, Automatic, "it is for line %d", a.used)
		case len(elsewhere) > 1:
			r.note(a.it, ByHand, "a variable, for code that is not run here")
		default:
			r.note(a.it, ByHand, "unknown here; look at what it is for")
		}
	}
}

// assign keeps what a statement assigns.
func (vars variables) assign(r *reading, it item) {
	if before := vars[it.name]; before != nil {
		variables{it.name: before}.note(r)
	}
	vars[it.name] = &assigned{it: it}
}

const literalWord = `('[^'\\]*'|"[^"\\]*"|-?[0-9][0-9_.]*|true|false|True|False)`

// defaults find a value that an environment variable takes the place of, as the
// languages write it: the variable's name and the value.
var defaults = []func() *regexp.Regexp{
	pattern(`^\(?\s*process\.env\.(\w+)\s*(?:\|\||\?\?)\s*` + literalWord + `\s*\)?$`),
	pattern(`^(?:parseInt|Number)\(\s*process\.env\.(\w+)\s*(?:\|\||\?\?)\s*` + literalWord + `\s*(?:,\s*10\s*)?\)$`),
	pattern(`^(?:int|float|str)?\(?\s*os\.(?:environ\.get|getenv)\(\s*['"](\w+)['"]\s*,\s*(?:default\s*=\s*)?` + literalWord + `\s*\)\s*\)?$`),
	pattern(`^(?:int|float|str)?\(?\s*os\.(?:environ\.get|getenv)\(\s*['"](\w+)['"]\s*\)\s+or\s+` + literalWord + `\s*\)?$`),
	pattern(`^(?:Integer|Float|String)?\(?\s*ENV\.fetch\(?\s*['"](\w+)['"]\s*,\s*` + literalWord + `\s*\)?\s*\)?(?:\.to_[isf])?$`),
	pattern(`^(?:Integer|Float|String)?\(?\s*ENV\.fetch\(?\s*['"](\w+)['"]\s*\)?\s*\{\s*` + literalWord + `\s*\}\s*\)?(?:\.to_[isf]|\.to_sym)?$`),
	pattern(`^(?:Integer|Float|String)?\(?\s*ENV\[\s*['"](\w+)['"]\s*\]\s*\|\|\s*` + literalWord + `\s*\)?(?:\.to_[isf])?$`),
	pattern(`^\(\s*ENV\[\s*['"](\w+)['"]\s*\]\s*\|\|\s*` + literalWord + `\s*\)(?:\.to_[isf])$`),
}

var (
	product    = pattern(`^[0-9]+(\s*\*\s*[0-9]+){1,5}$`)
	identifier = pattern(`^[A-Za-z_]\w*$`)
	castOf     = pattern(`^(?:int|str|float|Integer)\(\s*([A-Za-z_]\w*)\s*\)$|^([A-Za-z_]\w*)\.to_[isf]$`)
)

// resolve makes a known value of code where that is easy: a default of an
// environment variable, a product, a variable.
func (vars variables) resolve(d *dialect, v *value) {
	for _, i := range v.items {
		vars.resolve(d, i)
	}
	for _, f := range v.fields {
		vars.resolve(d, f.value)
	}
	if v.kind != code || len(v.text) > 200 {
		return
	}
	for _, e := range defaults {
		if m := e().FindStringSubmatch(v.text); m != nil {
			if known, err := d.parse(m[2], v.line); err == nil && known.kind != code {
				v.take(known, m[1])
			}
			return
		}
	}
	name := v.text
	if m := castOf().FindStringSubmatch(name); m != nil {
		name = m[1] + m[2]
	}
	if product().MatchString(name) {
		v.take(&value{kind: number, text: multiplied(name)}, "")
	} else if a := vars[name]; a != nil && identifier().MatchString(name) {
		usable := a.usable()
		a.used = v.line
		if usable {
			v.take(a.it.value, a.it.value.variable)
		}
	}
}

// take makes v the value that it was found to have. It stays on its lines.
func (v *value) take(known *value, variable string) {
	v.kind, v.text, v.variable = known.kind, known.text, variable
	v.items, v.fields = known.items, known.fields
}
