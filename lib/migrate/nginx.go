package migrate

import (
	"errors"
	"fmt"
	"strings"
)

// readNginx reads a configuration of nginx with directives of Passenger's.
func readNginx(r *reading) error {
	p := &nginxParser{reading: r, line: 1}
	top, err := p.directives(0)
	if err != nil {
		return err
	}
	webServer{reading: r}.walk(top, nil)
	return nil
}

// An nginxParser reads directives: words with a semicolon or a block behind them.
type nginxParser struct {
	*reading
	pos, line int
	count     int
}

var errBlocks = fmt.Errorf("blocks in blocks, over %d deep", maxDepth)

// directives reads those of a block, up to its brace.
func (p *nginxParser) directives(depth int) ([]*directive, error) {
	if depth > maxDepth {
		return nil, errBlocks
	}
	var all []*directive
	var d *directive
	for {
		word, special, err := p.word()
		if err != nil {
			return nil, err
		}
		switch {
		case special == 0 && d == nil:
			if p.count++; p.count > maxLeaves {
				return nil, errLeaves
			}
			d = &directive{name: strings.ToLower(word), shown: shortened(word), line: p.line, end: p.line}
		case special == 0:
			d.args = append(d.args, word)
		case d == nil && special == ';':
		case d == nil && special == '{':
			return nil, fmt.Errorf("line %d: a block has no name", p.line)
		case special == ';' || special == '{':
			d.end = p.line
			if special == '{' {
				d.block = true
				if d.inside, err = p.directives(depth + 1); err != nil {
					return nil, err
				}
				d.end = p.line
			}
			all, d = append(all, d), nil
		case d != nil:
			return nil, fmt.Errorf("line %d: %q has no semicolon", p.line, d.shown)
		case special == '}' && depth == 0:
			return nil, fmt.Errorf("line %d: a brace closes nothing", p.line)
		case special == '}', depth == 0:
			return all, nil
		default:
			return nil, errors.New("a block is not closed")
		}
	}
}

const end = 1 // in the place of a special byte

// word reads a word, or one of ; { } or the end. Comments need no note.
func (p *nginxParser) word() (word string, special byte, err error) {
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		switch {
		case c == '\n':
			p.line++
			p.pos++
		case c == ' ' || c == '\t' || c == '\r':
			p.pos++
		case c == '#':
			if blank(p.lines[p.line-1][:strings.IndexByte(p.lines[p.line-1], '#')]) {
				p.skip(p.line, p.line)
			}
			p.pos += strings.IndexByte(p.text[p.pos:]+"\n", '\n')
		case c == ';' || c == '{' || c == '}':
			if strings.Trim(p.lines[p.line-1], "{}; \t\r") == "" {
				p.skip(p.line, p.line)
			}
			p.pos++
			return "", c, nil
		case c == '"' || c == '\'':
			return p.quoted(c)
		default:
			return p.plain(), 0, nil
		}
	}
	return "", end, nil
}

func (p *nginxParser) quoted(quote byte) (string, byte, error) {
	start := p.pos + 1
	for i := start; i < len(p.text); i++ {
		switch p.text[i] {
		case '\\':
			i++
		case quote:
			word := p.text[start:i]
			p.line += strings.Count(word, "\n")
			p.pos = i + 1
			return unescaped(word), 0, nil
		}
	}
	return "", 0, fmt.Errorf("line %d: a quote does not close", p.line)
}

// plain reads a word without quotes. A variable may have braces.
func (p *nginxParser) plain() string {
	start := p.pos
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		if c == '$' && strings.HasPrefix(p.text[p.pos:], "${") {
			if n := strings.IndexAny(p.text[p.pos:], "}\n"); n > 0 && p.text[p.pos+n] == '}' {
				p.pos += n + 1
				continue
			}
		}
		if c == '\\' && p.pos+1 < len(p.text) && p.text[p.pos+1] != '\n' {
			p.pos += 2
			continue
		}
		if p.pos > start && strings.IndexByte(" \t\r\n;{", c) >= 0 {
			break
		}
		p.pos++
	}
	return p.text[start:p.pos]
}
