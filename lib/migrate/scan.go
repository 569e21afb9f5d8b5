package migrate

import "strings"

// code goes over what is no value that is known, to the end of the text, or of an
// entry of a list or an object.
func (p *parser) code(whole bool) {
	for open := 0; p.pos < len(p.text); {
		c := p.text[p.pos]
		switch {
		case p.comments():
			continue
		case strings.IndexByte(p.quotes, c) >= 0:
			_, length, _ := p.between()
			p.advance(length)
			continue
		case strings.IndexByte("([{", c) >= 0:
			open++
		case strings.IndexByte(")]}", c) >= 0:
			if open == 0 && !whole {
				return
			}
			open--
		case c == ',' && open <= 0 && !whole:
			return
		}
		p.advance(1)
	}
}

// space goes over blanks and comments.
func (p *parser) space() {
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\\' && !p.block:
			p.advance(1)
		case !p.comments():
			return
		}
	}
}

// comments goes over a comment, if there is one.
func (p *parser) comments() bool {
	rest := p.text[p.pos:]
	if p.block && !p.endless && strings.HasPrefix(rest, "/*") {
		end := strings.Index(rest[2:], "*/")
		if end < 0 { // it is an error, and hides nothing
			p.endless = true
			return false
		}
		p.advance(end + 4)
		return true
	}
	if strings.HasPrefix(rest, p.comment) {
		end := strings.IndexByte(rest, '\n')
		if end < 0 {
			end = len(rest)
		}
		p.advance(end)
		return true
	}
	return false
}

func (p *parser) advance(n int) {
	p.line += strings.Count(p.text[p.pos:p.pos+n], "\n")
	p.pos += n
}
