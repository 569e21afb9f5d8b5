package migrate

import (
	"passenger/lib/app"
	"path"
	"strings"
)

// application takes over one app: what it is first, since other settings depend
// on that.
func (u unitFile) application(a field) {
	prefix := "applications." + a.name + "."
	if a.value.kind != object {
		u.note(item{"applications." + a.name, a.line, a.value}, ByHand, "it is not an object")
		return
	}
	u.opens(a.line)
	kind, _ := a.value.field("type").textOf()
	kind, _, _ = strings.Cut(strings.ToLower(kind), " ")
	if kind != "python" && kind != "ruby" && kind != "external" {
		u.notef(item{"applications." + a.name, a.line, a.value}, ByHand, "apps of type %q are not run here", shortened(kind))
		return
	}
	d := u.draft()
	u.apps[a.name] = d
	if err := d.set(pair{"name", nameFor(a.name)}); err != nil {
		u.notef(item{"applications." + a.name, a.line, nil}, ByHand, "%v", err)
	}
	if text, ok := a.value.field("protocol").textOf(); ok {
		d.python.asgi = text == "asgi"
	}
	for _, name := range []string{"callable", "factory"} {
		d.unitCallable(a.value, name)
	}
	first := []string{"working_directory", "path", "module", "script", "executable"}
	for _, name := range first {
		for _, f := range a.value.fields {
			if f.name == name {
				unitApp(a.value).apply(d, name, item{prefix + name, f.line, f.value})
			}
		}
	}
	for _, f := range a.value.fields {
		known := false
		for _, name := range first {
			known = known || f.name == name
		}
		if !known {
			unitApp(a.value).apply(d, f.name, item{prefix + f.name, f.line, f.value})
		}
	}
}

func (d *draft) unitCallable(whole *value, name string) {
	s, ok := whole.field(name).textOf()
	switch {
	case ok && name == "callable":
		d.python.callable = s
	case ok && s == "true" && d.python.callable != "":
		d.python.callable += "()"
	}
}

// unitApp are the settings of one app of Unit's.
func unitApp(whole *value) table {
	module := rule{do: func(d *draft, it item) {
		d.text(it, func(it item, s string) {
			d.python.module = s
			d.startPython(it)
		})
	}}
	behind := rule{do: func(d *draft, it item) {
		if d.config.StartupFile == "" {
			d.r.note(it, ByHand, `"startup_file" is FILE:CALLABLE`)
			return
		}
		d.r.note(it, Became, "startup_file")
	}}
	return table{
		"type":              {automatic: "the app's kind is found by its files, or set by others of these lines"},
		"working_directory": {do: func(d *draft, it item) { d.text(it, d.root) }},
		"path":              {do: func(d *draft, it item) { d.unitPath(it, whole) }},
		"home":              {do: func(d *draft, it item) { d.text(it, d.virtualenv) }},
		"module":            module, "callable": behind, "factory": behind,
		"protocol": {do: func(d *draft, it item) {
			if d.python.asgi {
				d.r.note(it, Became, "app_type")
				return
			}
			d.r.note(it, Automatic, "the app's kind is found by its files")
		}},
		"prefix":      {key: "base_uri"},
		"targets":     {byHand: "an app for each, with the same directory"},
		"script":      {do: func(d *draft, it item) { d.text(it, d.unitScript) }},
		"hooks":       {byHand: byEvents},
		"executable":  {do: func(d *draft, it item) { d.external(it, whole) }},
		"arguments":   {do: func(d *draft, it item) { d.r.note(it, Became, "what is run, with executable") }},
		"processes":   {do: unitProcesses},
		"threads":     {key: "threads", as: asInteger},
		"limits":      {do: unitLimits},
		"environment": {do: variablesOf},
		"user":        {key: "user"}, "group": {key: "group"},
		"stdout": {do: logFile}, "stderr": {do: logFile},
		"thread_stack_size": {automatic: bySpawner},
		"isolation":         {byHand: `"user", "rlimits", "memory_max", "no_new_privileges" are of each app; namespaces are for a container around it`},
	}
}

// unitPath takes over where Python looks for modules: the app's directory, if
// nothing else says that.
func (d *draft) unitPath(it item, whole *value) {
	if s, ok := it.value.textOf(); ok && whole.field("working_directory") == nil {
		d.root(it, s)
		return
	}
	d.paths(it, "PYTHONPATH", ":")
}

func (d *draft) unitScript(it item, script string) {
	if path.IsAbs(script) {
		if err := d.set(pair{"app_root", path.Dir(path.Clean(script))}); err != nil {
			d.r.notef(it, ByHand, "%v", err)
			return
		}
		script = path.Base(script)
	}
	d.rackup(it, script)
}

// external takes over a program. One in JavaScript needs no loader here.
func (d *draft) external(it item, whole *value) {
	program, ok := it.value.textOf()
	args, known := words(whole.field("arguments"))
	if !ok || !known {
		d.r.notef(it, ByHand, "set \"app_start_command\": %v", it.value.unfit("a text"))
		return
	}
	command := append([]string{program}, args...)
	if last := command[len(command)-1]; strings.HasSuffix(last, ".js") || strings.HasSuffix(last, ".mjs") || strings.HasSuffix(last, ".cjs") {
		if !path.IsAbs(last) && !strings.HasPrefix(last, "..") {
			d.put(it, pair{"app_type", "node"}, pair{"startup_file", strings.TrimPrefix(last, "./")})
			return
		}
	}
	line, _ := app.CommandOf(strings.Join(command, " "))
	d.putWith(it, ": it has to listen on $PORT or on descriptor 3, in the place of Unit's library", pair{"app_start_command", line})
}

func unitProcesses(d *draft, it item) {
	if it.value.kind != object {
		workers(d, it)
		return
	}
	d.r.opens(it.line)
	table{
		"max":          {key: "max_instances", as: asInteger},
		"spare":        {key: "spare_instances", as: asInteger},
		"idle_timeout": {key: "pool_idle_time", as: asSeconds},
	}.fields(d, it.name+".", it.value)
}

func unitLimits(d *draft, it item) {
	if it.value.kind != object {
		d.r.note(it, ByHand, "it is not an object")
		return
	}
	d.r.opens(it.line)
	table{
		"timeout":  {key: "max_request_time", as: asSeconds},
		"requests": {key: "max_requests", as: asInteger},
		"shm":      {automatic: "processes have no memory in common with the proxy"},
		"data":     {byHand: `use "memory_max"`},
	}.fields(d, it.name+".", it.value)
}
