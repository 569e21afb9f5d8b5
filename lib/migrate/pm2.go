package migrate

import (
	"fmt"
	"path"
	"strings"
)

var (
	exports     = pattern(`^(?:module\.exports|exports\.default|export\s+default)\s*(?:=\s*)?([\s\S]*?);?\s*$`)
	exportsApps = pattern(`^(?:module\.)?exports\.(\w+)\s*=\s*([\s\S]*?);?\s*$`)
	constant    = pattern(`^(?:const|let|var)\s+(\w+)\s*=\s*([\s\S]*?);?\s*$`)
)

// readPM2 reads PM2's file of processes: JavaScript, JSON or YAML.
func readPM2(r *reading) error {
	var root *value
	var err error
	switch ext := path.Ext(r.Path); {
	case ext == ".yml" || ext == ".yaml":
		root, err = r.yaml()
	case ext == ".json" || strings.HasPrefix(strings.TrimSpace(r.text), "{") || strings.HasPrefix(strings.TrimSpace(r.text), "["):
		root, err = javaScript.strict(r.text)
	default:
		return r.pm2Program()
	}
	if err != nil {
		return err
	}
	r.literal(root)
	r.pm2Root(root)
	return nil
}

// literal is for a file that is one value: lines that only close another need no
// note, and each single value needs one.
func (r *reading) literal(root *value) {
	r.leaves = root.leaves(r.leaves)
	r.skipClosing(1, len(r.lines))
	r.comments(javaScript)
}

// comments are lines that have nothing else.
func (r *reading) comments(d *dialect) {
	p := &parser{dialect: d, text: r.text, line: 1}
	used := make([]bool, len(r.lines)+2)
	begun := make([]bool, len(r.lines)+2)
	for p.pos < len(p.text) {
		line := p.line
		if p.comments() {
			for i := line; i <= p.line; i++ {
				begun[i] = true
			}
			continue
		}
		c := p.text[p.pos]
		if strings.IndexByte(d.quotes, c) >= 0 {
			_, length, _ := p.between()
			p.advance(length)
			for i := line; i <= p.line; i++ {
				used[i] = true
			}
			continue
		}
		if c > ' ' {
			used[p.line] = true
		}
		p.advance(1)
	}
	for i := range r.lines {
		if begun[i+1] && !used[i+1] {
			r.skip(i+1, i+1)
		}
	}
}

// pm2Program reads a file in JavaScript, as far as it can be known without being run.
func (r *reading) pm2Program() error {
	vars := variables{}
	r.comments(javaScript)
	for _, s := range r.statements(javaScript) {
		text := strings.TrimSpace(s.text)
		raw := &value{kind: code, text: text, line: s.line, end: s.end}
		it := item{firstLine(text), s.line, raw}
		if m := exports().FindStringSubmatch(text); m != nil {
			root, err := r.javaScript(m[1], s, vars)
			if err != nil {
				return err
			}
			r.exported(it, s)
			r.pm2Root(root)
			continue
		}
		if m := exportsApps().FindStringSubmatch(text); m != nil {
			v, err := r.javaScript(m[2], s, vars)
			if err != nil {
				return err
			}
			r.exported(it, s)
			r.pm2Root(&value{kind: object, fields: []field{{m[1], s.line, v}}})
			continue
		}
		m := constant().FindStringSubmatch(text)
		switch {
		case m != nil && !strings.HasPrefix(m[2], "require("):
			v, err := r.javaScript(m[2], s, vars)
			if err != nil {
				return err
			}
			v.line, v.end = s.line, max(s.end, v.end)
			vars.assign(r, item{m[1], s.line, v})
		case m != nil, strings.HasPrefix(text, "import "), strings.HasPrefix(text, "require("), strings.Trim(text, `'"; `) == "use strict":
			r.note(it, Automatic, "no code runs here")
		case comment(text):
			r.skip(s.line, s.end)
		default:
			r.note(it, ByHand, "code is not run here; see what it would do, and set that by hand")
		}
	}
	vars.note(r)
	return nil
}

// exported tells of the statement whose value is the file's.
func (r *reading) exported(it item, s statement) {
	r.note(item{it.name, s.line, nil}, Automatic, "its value is taken over")
}

// comment says that a statement is only a comment.
func comment(text string) bool {
	p := &parser{dialect: javaScript, text: text}
	p.space()
	return p.pos == len(text)
}

// javaScript reads a value. The lines that only close something need no note.
func (r *reading) javaScript(text string, s statement, vars variables) (*value, error) {
	first := s.line + strings.Count(s.text[:max(strings.Index(s.text, text), 0)], "\n")
	v, err := javaScript.parse(text, first)
	if err != nil {
		return nil, err
	}
	vars.resolve(javaScript, v)
	r.leaves = v.leaves(r.leaves)
	if v.kind == object || v.kind == list {
		r.skip(s.line, s.line)
		r.skipClosing(s.line, s.end)
	}
	return v, nil
}

// pm2Root takes the whole file over: an object with apps, a list of them, or one.
func (r *reading) pm2Root(root *value) {
	switch {
	case root.kind == list:
		r.pm2Apps(item{"apps", root.line, root})
	case root.kind == object && root.field("apps") == nil && (root.field("script") != nil || root.field("name") != nil):
		r.pm2App("", root)
	case root.kind == object:
		for _, f := range root.fields {
			it := item(f)
			switch f.name {
			case "apps":
				r.opens(f.line)
				r.pm2Apps(it)
			case "deploy":
				r.note(it, ByHand, "Capistrano or the like deploys; passenger-config restart-app restarts")
			default:
				r.note(it, ByHand, "unknown here; look at what it is for")
			}
		}
	default:
		r.note(item{"the whole", root.line, root}, ByHand, "code is not run here; see what it would do, and set that by hand")
	}
}

func (r *reading) pm2Apps(it item) {
	if it.value.kind == object {
		r.pm2App("apps.", it.value)
		return
	}
	if it.value.kind != list {
		r.note(it, ByHand, "code is not run here; see what it would do, and set that by hand")
		return
	}
	for i, v := range it.value.items {
		name := fmt.Sprintf("apps[%d]", i)
		if v.kind != object {
			r.note(item{name, v.line, v}, ByHand, "code is not run here; see what it would do, and set that by hand")
			continue
		}
		r.opens(v.line)
		r.pm2App(name+".", v)
	}
}
