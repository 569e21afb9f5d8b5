package migrate

import (
	"fmt"
	"slices"
	"strings"
)

var (
	apacheOpens  = pattern(`^<\s*([A-Za-z]\w*)\s*([^>]*)>?\s*$`)
	apacheCloses = pattern(`^</\s*([A-Za-z]\w*)\s*>\s*$`)
	camelCase    = pattern(`([a-z0-9])([A-Z])`)
)

// sameAs are directives of Apache by those of nginx that mean the same.
var sameAs = map[string]string{
	"virtualhost": "server", "servername": "server_name", "serveralias": "server_name", "documentroot": "root", "directory": "location", "location": "location",
	"railsenv": "passenger_rails_env", "rackenv": "passenger_rack_env", "railsbaseuri": "passenger_base_uri", "rackbaseuri": "passenger_base_uri", "alias": "alias_path",
}

// readApache reads a configuration of Apache with directives of Passenger's.
func readApache(r *reading) error {
	p := &apacheParser{reading: r}
	top, err := p.directives("", 0)
	if err != nil {
		return err
	}
	passenger := strings.Contains(strings.ToLower(r.text), "passenger")
	webServer{reading: r, on: passenger}.walk(top, nil)
	return nil
}

// An apacheParser reads directives: lines, and blocks between two of them.
type apacheParser struct {
	*reading
	next  int // line, from 0
	count int
}

// directives reads those of a block, up to the line that closes it.
func (p *apacheParser) directives(block string, depth int) ([]*directive, error) {
	if depth > maxDepth {
		return nil, errBlocks
	}
	var all []*directive
	for p.next < len(p.lines) {
		from := p.next
		line := p.line()
		if line == "" {
			continue
		}
		if m := apacheCloses().FindStringSubmatch(line); m != nil {
			if !strings.EqualFold(m[1], block) {
				return nil, fmt.Errorf("line %d: </%s> closes nothing", from+1, m[1])
			}
			p.skip(from+1, p.next)
			return all, nil
		}
		if p.count++; p.count > maxLeaves {
			return nil, errLeaves
		}
		if m := apacheOpens().FindStringSubmatch(line); m != nil {
			d := apacheDirective(m[1], m[2], from+1)
			d.block = true
			d.shown = "<" + d.shown + ">"
			inside, err := p.directives(m[1], depth+1)
			if err != nil {
				return nil, err
			}
			d.inside, d.end = inside, p.next
			all = append(all, d)
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		if i := strings.IndexByte(line, '\t'); i >= 0 && i < len(name) {
			name, rest = line[:i], line[i:]
		}
		d := apacheDirective(name, rest, from+1)
		d.end = p.next
		all = append(all, d)
	}
	if block != "" {
		return nil, fmt.Errorf("<%s> is not closed", block)
	}
	return all, nil
}

// line reads a line with those that continue it. It is empty for a comment.
func (p *apacheParser) line() string {
	from := p.next
	text := strings.TrimSpace(p.lines[p.next])
	p.next++
	for strings.HasSuffix(text, `\`) && p.next < len(p.lines) && len(text) < 10_000 {
		text = strings.TrimSuffix(text, `\`) + " " + strings.TrimSpace(p.lines[p.next])
		p.next++
	}
	if text == "" || text[0] == '#' {
		p.skip(from+1, p.next)
		return ""
	}
	return text
}

// apacheDirective is one under the name that nginx has for it.
func apacheDirective(name, rest string, line int) *directive {
	d := &directive{shown: shortened(name), line: line, end: line, args: apacheWords(rest)}
	lower := strings.ToLower(name)
	switch {
	case sameAs[lower] != "":
		d.name = sameAs[lower]
	case strings.HasPrefix(lower, "passenger"):
		d.name = passengerName(name)
	default:
		d.name = lower
	}
	if d.name == "location" && strings.EqualFold(name, "Directory") {
		d.args = nil
	}
	return d
}

// passengerName is PassengerAppRoot as nginx has it, whatever its case.
func passengerName(name string) string {
	snake := strings.ToLower(camelCase().ReplaceAllString(name, "${1}_${2}"))
	bare := strings.ReplaceAll(snake, "_", "")
	for _, known := range passengerNames {
		if strings.ReplaceAll(known, "_", "") == bare {
			return known
		}
	}
	return snake
}

// passengerNames are those that are not read off the capitals of Apache's, as in
// PassengerBaseURI, and those that decide whether a place is an app.
var passengerNames = []string{"passenger_base_uri", "passenger_app_root", "passenger_enabled", "passenger_app_env", "passenger_nodejs", "passenger_env_var", "passenger_lve_min_uid"}

func apacheWords(s string) []string {
	var words []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		if i := strings.IndexByte(s[1:], s[0]); (s[0] == '"' || s[0] == '\'') && i >= 0 {
			words = append(words, unescaped(s[1:i+1]))
			s = s[i+2:]
			continue
		}
		n := strings.IndexAny(s, " \t")
		if n < 0 {
			n = len(s)
		}
		words = append(words, s[:n])
		s = s[n:]
	}
	return slices.Clip(words)
}
