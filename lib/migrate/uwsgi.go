package migrate

import (
	"fmt"
	"path"
	"strings"
)

var (
	uwsgiHolder = pattern(`%\(([^)\s]+)\)`)
	uwsgiEnv    = pattern(`\$\((\w+)\)`)
	uwsgiMagic  = pattern(`%[A-Za-z]|@\(`)
)

// readUWSGI reads the INI file of a uWSGI instance.
func readUWSGI(r *reading) error {
	d, section, condition := r.draft(), "", ""
	d.found = true
	holders := map[string]string{}
	var list []item
	for i, line := range r.lines {
		line = strings.TrimSpace(line)
		it := item{name: shortened(line), line: i + 1}
		key, text, _ := strings.Cut(line, "=")
		key, text = strings.TrimSpace(key), strings.TrimSpace(text)
		switch {
		case line == "" || line[0] == ';' || line[0] == '#':
			r.skip(i+1, i+1)
			continue
		case line[0] == '[':
			section = strings.Trim(line, "[] ")
			if section != "uwsgi" {
				r.note(it, ByHand, "another instance, or a section that others include; import it as a file of its own")
				continue
			}
			r.note(it, Automatic, "the settings of an app begin")
			continue
		case section != "uwsgi":
			r.note(it, ByHand, "it is in no section [uwsgi]")
			continue
		case strings.HasPrefix(key, "if-") || strings.HasPrefix(key, "ifdef") || key == "for" || strings.HasPrefix(key, "for-"):
			condition = key
			r.note(it, ByHand, "what follows depends on it; set by hand what holds")
			continue
		case key == "endif" || key == "endfor":
			condition = ""
			r.note(it, Automatic, "a condition ends")
			continue
		}
		it = item{strings.ReplaceAll(key, "_", "-"), i + 1, uwsgiValue(d, holders, text, i+1)}
		if condition != "" {
			r.notef(it, ByHand, "it depends on %s; set by hand what holds", condition)
			continue
		}
		if s, ok := it.value.textOf(); ok {
			if _, known := holders[key]; !known && len(s) < 1000 {
				holders[key] = s
			}
		}
		list = append(list, it)
	}
	uwsgiApp(d, list)
	return nil
}

// uwsgiValue is a value with its placeholders replaced. What only uWSGI knows is code.
func uwsgiValue(d *draft, holders map[string]string, s string, line int) *value {
	v := &value{kind: text, text: s, line: line, end: line}
	if s == "" {
		v.text = "true"
	}
	s = strings.NewReplacer("%d", path.Dir(d.r.Path)+"/", "%p", d.r.Path, "%%", "%").Replace(s)
	known := true
	s = uwsgiHolder().ReplaceAllStringFunc(s, func(m string) string {
		value, ok := holders[m[2:len(m)-1]]
		known = known && ok
		return value
	})
	if m := uwsgiEnv().FindStringSubmatch(s); m != nil || !known || uwsgiMagic().MatchString(s) || len(s) > 4000 {
		v.kind, v.text = code, shortened(s)
	} else if s != "" {
		v.text = s
	}
	return v
}

// stages are when options are taken over that others depend on, or that depend on
// others; those without a stage are in the second.
var stages = map[string]int{"chdir": 0, "cd": 0, "callable": 2, "cheaper": 2}

// uwsgiApp takes the options of an app over.
func uwsgiApp(d *draft, list []item) {
	for _, it := range list {
		if v, ok := it.value.textOf(); ok && it.name == "callable" {
			d.python.callable = v // it stands behind the file, which may come later
		}
	}
	for stage := range 3 {
		for _, it := range list {
			if at, ok := stages[it.name]; ok && at == stage || !ok && stage == 1 {
				uwsgiOption(d, it)
			}
		}
	}
}

// uwsgiOption takes one option over: by its own rule, by that of its family, or as
// a name for other lines.
func uwsgiOption(d *draft, it item) {
	if _, known := uwsgi[it.name]; !known {
		for _, f := range uwsgiFamilies {
			if strings.HasPrefix(it.name, f.prefix) {
				table{it.name: f.rule}.apply(d, it.name, it)
				return
			}
		}
		for _, name := range []string{it.name, strings.ReplaceAll(it.name, "-", "_")} {
			if strings.Contains(d.r.text, "%("+name+")") {
				d.r.note(it, Automatic, "its value is used on other lines")
				return
			}
		}
	}
	uwsgi.apply(d, it.name, it)
}

func uwsgiModule(d *draft, it item) {
	d.text(it, func(it item, s string) {
		module, callable, ok := strings.Cut(s, ":")
		if ok {
			d.python.callable = callable
		}
		d.python.module = module
		d.startPython(it)
	})
}

// uwsgiCallable comes last: it stands behind the file.
func uwsgiCallable(d *draft, it item) {
	if d.config.StartupFile == "" {
		d.r.note(it, ByHand, `name the file, too: "startup_file" is FILE:CALLABLE`)
		return
	}
	d.r.note(it, Became, "startup_file")
}

func (d *draft) pythonFile(it item, file string) {
	d.python.file = file
	d.startPython(it)
}

// virtualenv takes over a directory of Python's own packages.
func (d *draft) virtualenv(it item, dir string) {
	if !path.IsAbs(dir) {
		dir = path.Join(d.r.dir(), dir)
	}
	d.put(it, pair{"python", strings.TrimSuffix(dir, "/") + "/bin/python3"})
}

// limit sets a resource limit.
func (d *draft) limit(it item, name string) {
	n, err := asInteger(it.value)
	if err != nil {
		d.r.notef(it, ByHand, "set \"rlimits\": %v", err)
		return
	}
	d.put(it, pair{"rlimits", append(append([]string{}, d.config.RLimits...), fmt.Sprintf("%s=%d", name, n))})
}
