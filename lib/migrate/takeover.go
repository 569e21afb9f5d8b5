package migrate

import "strings"

// What several formats have in common.

// text takes an item over whose value is a text.
func (d *draft) text(it item, take func(item, string)) {
	s, ok := it.value.textOf()
	if !ok {
		d.r.notef(it, ByHand, "%v", it.value.unfit("a text"))
		return
	}
	take(it, s)
}

// workers is how many processes there are.
func workers(d *draft, it item) {
	n, err := asInteger(it.value)
	switch n, ok := n.(int64); {
	case err != nil:
		d.r.note(it, ByHand, `the pool starts as many processes as are needed; bound them by "min_instances" and "max_instances"`)
	case !ok || n < 1:
		d.r.note(it, Automatic, "the pool starts one, and more when they are needed")
	default:
		d.count(it, n)
	}
}

// variablesOf takes over NAME=VALUE, or a list or an object of them.
func variablesOf(d *draft, it item) {
	var parts []field // with a name where it stands apart from the value
	switch v := it.value; {
	case v != nil && v.kind == object:
		parts = v.fields
	case v != nil && v.kind == list:
		for _, i := range v.items {
			parts = append(parts, field{"", i.line, i})
		}
	default:
		parts = []field{{"", it.line, v}}
	}
	if len(parts) > 0 && parts[0].line != it.line {
		d.r.note(item{it.name, it.line, nil}, Became, "envvars, one by one")
	}
	if it.value != nil {
		d.r.skipClosing(it.line, it.value.end)
	}
	for _, p := range parts {
		one := item{strings.TrimSuffix(it.name+"."+p.name, "."), p.line, p.value}
		d.text(one, func(one item, s string) {
			name, ok := p.name, true
			if it.value.kind != object {
				name, s, ok = strings.Cut(s, "=")
				one.name = it.name + " " + shortened(name)
			}
			if !ok {
				d.r.note(one, ByHand, `it has not the form NAME=VALUE; see "envvars"`)
				return
			}
			d.variable(one, name, s)
		})
	}
}

// paths takes over a list of directories as an environment variable.
func (d *draft) paths(it item, variable, separator string) {
	texts, ok := it.value.textsOf()
	if !ok {
		d.r.notef(it, ByHand, "set %s in \"envvars\": %v", variable, it.value.unfit("a list of directories"))
		return
	}
	all := strings.ReplaceAll(strings.Join(texts, ":"), separator, ":")
	if before := d.config.EnvVars[variable]; before != "" {
		all = before + ":" + all
	}
	d.variable(it, variable, all)
}

// environment takes over the name of an environment. One that a variable decides,
// and that is for development otherwise, is not that of a server.
func environment(d *draft, it item) {
	if s, _ := it.value.textOf(); it.value.variable != "" && s == "development" {
		d.r.notef(it, ByHand, "$%s decided; here it is production, unless \"environment\" says otherwise", it.value.variable)
		return
	}
	d.convert(it, "environment", nil)
}

func appName(d *draft, it item) {
	d.text(it, func(it item, s string) { d.put(it, pair{"name", nameFor(s)}) })
}

// logFile takes over a file for what the app writes. Some names are no files.
func logFile(d *draft, it item) {
	d.text(it, func(it item, s string) {
		switch s {
		case "-", "/dev/stderr", "/dev/stdout", "":
			d.r.note(it, Automatic, "what the app writes goes to the spawner's output")
		case "/dev/null", "NULL":
			d.put(it, pair{"app_log_file", "/dev/null"})
		default:
			d.put(it, pair{"app_log_file", s})
		}
	})
}
