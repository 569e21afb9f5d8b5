package migrate

import (
	"fmt"
	"path"
	"strings"

	"passenger/lib/app"
)

// A unitFile is a configuration of NGINX Unit.
type unitFile struct {
	*reading
	apps map[string]*draft
}

// readUnit reads the JSON that Unit's control socket takes and gives.
func readUnit(r *reading) error {
	root, err := javaScript.strict(r.text)
	if err != nil {
		return err
	}
	if config := root.field("config"); config != nil && config.kind == object && root.field("applications") == nil {
		r.literal(root)
		for _, f := range root.fields {
			if f.name == "config" {
				r.skip(f.line, f.line)
				continue
			}
			r.note(item(f), ByHand, byProxyTLS)
		}
		root = config
	} else {
		r.literal(root)
	}
	u := unitFile{r, map[string]*draft{}}
	for _, f := range root.fields { // before what names them
		if f.name == "applications" && f.value.kind == object {
			r.skip(f.line, f.line)
			for _, a := range f.value.fields {
				u.application(a)
			}
		}
	}
	for _, f := range root.fields {
		u.section(f)
	}
	return nil
}

func (u unitFile) section(f field) {
	it := item(f)
	switch f.name {
	case "applications":
		if f.value.kind != object {
			u.note(it, ByHand, "it is not an object of applications")
		}
	case "listeners":
		u.skip(f.line, f.line)
		for _, l := range f.value.fields {
			u.listener(l)
		}
	case "routes":
		u.skip(f.line, f.line)
		u.routes("routes", f.value)
	case "access_log":
		u.note(it, ByHand, byAccessLog)
	case "upstreams":
		u.note(it, ByHand, "a balancer in front has to have other machines")
	case "settings":
		u.note(it, ByHand, "limits of the proxy are its flags; see passenger-proxy(1)")
	case "certificates":
		u.note(it, ByHand, byProxyTLS)
	default:
		u.note(it, ByHand, "unknown here; look at what it is for")
	}
}

func (u unitFile) listener(l field) {
	name := "listeners." + l.name
	at := item{name, l.line, nil}
	if tls := l.value.field("tls"); tls != nil {
		u.notef(at, ByHand, "the proxy listens: passenger-proxy serve --listen tls:%s --certificate FILE --key FILE", shortened(address(l.name)))
	} else {
		u.notef(at, ByHand, "the proxy listens: passenger-proxy serve --listen %s", shortened(address(l.name)))
	}
	for _, f := range l.value.fields {
		it := item{name + "." + f.name, f.line, f.value}
		switch f.name {
		case "pass":
			u.note(it, Automatic, `an app is found by its "server_names" and its "base_uri"`)
		case "tls":
			u.note(it, ByHand, byProxyTLS)
		case "forwarded", "client_ip":
			u.note(it, ByHand, byTrusted)
		case "backlog":
			u.note(it, Automatic, byProxy)
		default:
			u.note(it, ByHand, "unknown here; look at what it is for")
		}
	}
}

// routes takes over a list of steps, or several lists by name.
func (u unitFile) routes(name string, v *value) {
	switch v.kind {
	case object:
		for _, f := range v.fields {
			u.skip(f.line, f.line)
			u.routes(name+"."+f.name, f.value)
		}
	case list:
		for i, step := range v.items {
			u.step(fmt.Sprintf("%s[%d]", name, i), step)
		}
	default:
		u.note(item{name, v.line, v}, ByHand, "it is not a list of routes")
	}
}

// step takes over which requests go to which app.
func (u unitFile) step(name string, step *value) {
	u.skip(step.line, step.line)
	target := u.target(step.field("action"))
	for _, f := range step.fields {
		u.skip(f.line, f.line)
		if f.value.kind != object {
			u.note(item{name + "." + f.name, f.line, f.value}, ByHand, "unknown here; look at what it is for")
			continue
		}
		for _, part := range f.value.fields {
			it := item{name + "." + f.name + "." + part.name, part.line, part.value}
			if f.name == "match" {
				u.match(target, part.name, it)
			} else {
				u.action(target, part.name, it)
			}
		}
	}
}

// target is the app that an action passes to, be it when there is no such file.
func (u unitFile) target(action *value) *draft {
	for range 4 {
		if pass, ok := action.field("pass").textOf(); ok {
			name, _, _ := strings.Cut(strings.TrimPrefix(pass, "applications/"), "/")
			if strings.HasPrefix(pass, "applications/") {
				return u.apps[name]
			}
			return nil
		}
		action = action.field("fallback")
	}
	return nil
}

func (u unitFile) match(target *draft, name string, it item) {
	texts, ok := it.value.textsOf()
	switch {
	case name == "host" && target != nil && ok && plainHosts(texts):
		target.put(it, pair{"server_names", append(append([]string{}, target.config.ServerNames...), texts...)})
	case name == "uri" && len(texts) == 1 && (texts[0] == "*" || texts[0] == "/*"):
		u.note(it, Automatic, "an app gets all paths")
	case name == "uri":
		u.note(it, ByHand, `"base_uri" is the path of an app; other paths the web server in front, or the app, has to tell apart`)
	default:
		u.note(it, ByHand, `an app is found by its "server_names" and its "base_uri" alone`)
	}
}

func plainHosts(names []string) bool {
	for _, n := range names {
		if strings.ContainsAny(strings.TrimPrefix(n, "*."), "*!~:/ ") {
			return false
		}
	}
	return len(names) > 0
}

func (u unitFile) action(target *draft, name string, it item) {
	switch name {
	case "pass":
		u.note(it, Automatic, `an app is found by its "server_names" and its "base_uri"`)
	case "share":
		dir, ok := it.value.textOf()
		dir, whole := strings.CutSuffix(dir, "$uri")
		if ok && whole && target != nil && path.IsAbs(dir) && !strings.Contains(dir, "$") {
			target.put(it, pair{"static_files_dir", path.Clean(dir)})
			return
		}
		u.note(it, ByHand, byPublic)
	case "fallback":
		u.note(it, Automatic, "the app gets the requests for which there is no file")
	case "proxy":
		u.note(it, ByHand, "a web server in front has to do it")
	default:
		u.note(it, ByHand, "the web server in front, or the app, has to do it")
	}
}

// application takes over one app: what it is first, since other settings depend
// on that.
func (u unitFile) application(a field) {
	prefix := "applications." + a.name + "."
	if a.value.kind != object {
		u.note(item{"applications." + a.name, a.line, a.value}, ByHand, "it is not an object")
		return
	}
	u.skip(a.line, a.line)
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
	d.r.skip(it.line, it.line)
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
	d.r.skip(it.line, it.line)
	table{
		"timeout":  {key: "max_request_time", as: asSeconds},
		"requests": {key: "max_requests", as: asInteger},
		"shm":      {automatic: "processes have no memory in common with the proxy"},
		"data":     {byHand: `use "memory_max"`},
	}.fields(d, it.name+".", it.value)
}
