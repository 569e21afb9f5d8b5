package systemd

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// An Assignment is a variable of an environment file.
type Assignment struct {
	Name, Value string
	Line        int // on which it begins
}

// A Slip is a line of an environment file that systemd leaves out.
type Slip struct {
	Line    int
	Message string
}

// maxEnvironmentFile is the largest file that systemd reads, in bytes.
const maxEnvironmentFile = 4 << 20

// ReadEnvironment reads a file that EnvironmentFile= of a unit names.
func ReadEnvironment(path string) ([]Assignment, []Slip, error) {
	fi, err := os.Stat(path)
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", path)
	}
	if err == nil && fi.Size() > maxEnvironmentFile {
		err = fmt.Errorf("%s: larger than %d bytes, and systemd reads none of it", path, maxEnvironmentFile)
	}
	if err != nil {
		return nil, nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	list, slips := ParseEnvironment(string(b))
	return list, slips, nil
}

// ParseEnvironment reads assignments as systemd.exec(5) has them: a line each,
// which a backslash at its end continues; values may stand in single or double
// quotes, and may go over lines there. What systemd ignores is a [Slip].
func ParseEnvironment(text string) (list []Assignment, slips []Slip) {
	s := &scanner{text: text, line: 1}
	slip := func(line int, format string, args ...any) {
		slips = append(slips, Slip{line, fmt.Sprintf(format, args...)})
	}
	for !s.end() {
		s.blanks()
		begin := s.line
		if c := s.peek(); c == '#' || c == ';' || c == '\n' {
			s.rest(c != '\n')
			continue
		}
		name, ok := s.name()
		if !ok {
			if name != "" {
				slip(begin, "%q is no assignment: it has not the form NAME=VALUE", name)
			}
			continue
		}
		value, open := s.value()
		switch {
		case !variableName.MatchString(name):
			slip(begin, "%q is no name of a variable: it has letters, digits and _ alone", name)
		case strings.ContainsFunc(value, forbidden):
			slip(begin, "the value of %s has a control character in it", name)
		default:
			list = append(list, Assignment{name, value, begin})
		}
		if open != 0 {
			slip(begin, "the quotation mark %c is not closed: all that follows is the value of %s", open, name)
		}
	}
	return list, slips
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func forbidden(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }

// A scanner goes through an environment file.
type scanner struct {
	text string
	at   int
	line int
}

func (s *scanner) end() bool { return s.at >= len(s.text) }

// peek is the next byte, a line's end at the end.
func (s *scanner) peek() byte {
	if s.end() {
		return '\n'
	}
	return s.text[s.at]
}

func (s *scanner) next() byte {
	c := s.peek()
	if c == '\n' && !s.end() {
		s.line++
	}
	s.at++
	return c
}

func (s *scanner) blanks() {
	for !s.end() && strings.IndexByte(" \t\r", s.peek()) >= 0 {
		s.next()
	}
}

// rest leaves out what is left of a line; a comment goes on in the next line
// behind a backslash.
func (s *scanner) rest(comment bool) {
	for {
		switch c := s.next(); {
		case c == '\n':
			return
		case c == '\\' && comment:
			s.next()
		}
	}
}

// name reads up to the equals sign. ok is false where the line has none.
func (s *scanner) name() (name string, ok bool) {
	from := s.at
	for {
		switch c := s.next(); c {
		case '=':
			return strings.TrimRight(s.text[from:s.at-1], " \t"), true
		case '\n':
			return strings.TrimSpace(s.text[from:min(s.at-1, len(s.text))]), false
		}
	}
}

// value reads the value and the end of its line. open is a quotation mark that
// is not closed, else 0.
func (s *scanner) value() (value string, open byte) {
	var b strings.Builder
	kept := 0 // how much of it is no blank at the end
	fresh := true
	for {
		if fresh {
			s.blanks()
		}
		switch c := s.next(); {
		case c == '\n':
			return b.String()[:kept], 0
		case (c == '"' || c == '\'') && fresh:
			if !s.quoted(&b, c) {
				return b.String(), c
			}
			kept = b.Len()
		case c == '\\':
			if fresh = false; s.peek() != '\n' && !s.end() {
				b.WriteByte(s.next())
			} else {
				s.next()
			}
			kept = b.Len()
		default:
			fresh = false
			if b.WriteByte(c); strings.IndexByte(" \t\r", c) < 0 {
				kept = b.Len()
			}
		}
	}
}

// quoted reads up to the quotation mark that closes a value, and says whether
// there is one.
func (s *scanner) quoted(b *strings.Builder, mark byte) bool {
	for !s.end() {
		c := s.next()
		if c == mark {
			return true
		}
		if c == '\\' && mark == '"' && !s.end() {
			if c = s.next(); c == '\n' {
				continue
			} else if strings.IndexByte("\"\\`$", c) < 0 {
				b.WriteByte('\\')
			}
		}
		b.WriteByte(c)
	}
	return false
}
