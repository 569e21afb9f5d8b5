package migrate

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"passenger/lib/app"
)

var (
	exports     = regexp.MustCompile(`^(?:module\.exports|exports\.default|export\s+default)\s*(?:=\s*)?([\s\S]*?);?\s*$`)
	exportsApps = regexp.MustCompile(`^(?:module\.)?exports\.(\w+)\s*=\s*([\s\S]*?);?\s*$`)
	constant    = regexp.MustCompile(`^(?:const|let|var)\s+(\w+)\s*=\s*([\s\S]*?);?\s*$`)
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
		if m := exports.FindStringSubmatch(text); m != nil {
			root, err := r.javaScript(m[1], s, vars)
			if err != nil {
				return err
			}
			r.exported(it, s)
			r.pm2Root(root)
			continue
		}
		if m := exportsApps.FindStringSubmatch(text); m != nil {
			v, err := r.javaScript(m[2], s, vars)
			if err != nil {
				return err
			}
			r.exported(it, s)
			r.pm2Root(&value{kind: object, fields: []field{{m[1], s.line, v}}})
			continue
		}
		m := constant.FindStringSubmatch(text)
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
				r.skip(f.line, f.line)
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
		r.skip(v.line, v.line)
		r.pm2App(name+".", v)
	}
}

// pm2App takes one process of PM2 over: what it is first, since other settings
// depend on that.
func (r *reading) pm2App(prefix string, v *value) {
	d := r.draft()
	order := []string{"cwd", "name", "script", "env"}
	for _, first := range order {
		for _, f := range v.fields {
			if f.name == first {
				pm2App{d, v}.apply(f.name, item{prefix + f.name, f.line, f.value})
			}
		}
	}
	for _, f := range v.fields {
		if !slices.Contains(order, f.name) {
			pm2App{d, v}.apply(f.name, item{prefix + f.name, f.line, f.value})
		}
	}
}

// A pm2App is one process of PM2's.
type pm2App struct {
	*draft
	whole *value
}

func (d pm2App) apply(name string, it item) {
	env, of := strings.CutPrefix(name, "env_")
	switch {
	case name == "script":
		d.script(it)
	case (name == "args" || name == "interpreter" || name == "exec_interpreter" || name == "interpreter_args" || name == "node_args") && d.whole.field("script") != nil:
		d.argument(name, it)
	case of && env != "production" && env != "file":
		d.r.notef(it, ByHand, "for another environment, %q: give it settings of its own", shortened(env))
	default:
		pm2.apply(d.draft, name, it)
	}
}

// script is what PM2 runs: a file in JavaScript for our adapter, else a command.
func (d pm2App) script(it item) {
	script, ok := it.value.textOf()
	if !ok {
		d.r.notef(it, ByHand, "set \"startup_file\": %v", it.value.unfit("a text"))
		return
	}
	args, known := words(d.whole.field("args"))
	interpreter, _ := d.whole.field("interpreter").textOf()
	if e, ok := d.whole.field("exec_interpreter").textOf(); ok {
		interpreter = e
	}
	script = strings.TrimPrefix(d.relative(script), "./")
	ext := path.Ext(script)
	javaScript := ext == ".js" || ext == ".mjs" || ext == ".cjs"
	switch {
	case !known:
		d.r.note(it, ByHand, `set "app_start_command": its arguments are code`)
	case len(args) == 0 && javaScript && (interpreter == "" || path.Base(interpreter) == "node") && !path.IsAbs(script) && !strings.HasPrefix(script, "../"):
		d.put(it, pair{"app_type", "node"}, pair{"startup_file", script})
	case npmStart(script, args):
		d.found = true
		d.r.note(it, Automatic, "the start script of package.json is found and run, without npm")
	default:
		command := script
		switch {
		case interpreter == "none" || interpreter == "":
			if javaScript {
				command = "node " + command
			}
		default:
			command = interpreter + " " + command
		}
		line, env := app.CommandOf(strings.Join(append([]string{command}, args...), " "))
		for name, text := range env {
			d.variable(it, name, text)
		}
		d.putWith(it, ": it has to listen on $PORT or on descriptor 3", pair{"app_start_command", line})
	}
}

func npmStart(script string, args []string) bool {
	return slices.Contains([]string{"npm", "yarn", "pnpm"}, path.Base(script)) && (slices.Equal(args, []string{"start"}) || slices.Equal(args, []string{"run", "start"}))
}

// words are the arguments of a command line.
func words(v *value) ([]string, bool) {
	if v == nil || v.kind == null {
		return nil, true
	}
	if s, ok := v.textOf(); ok {
		return strings.Fields(s), true
	}
	return v.textsOf()
}

// argument notes what became of a part of the command.
func (d pm2App) argument(name string, it item) {
	switch {
	case name == "node_args" || name == "interpreter_args":
		args, ok := words(it.value)
		if !ok {
			d.r.note(it, ByHand, `set NODE_OPTIONS in "envvars": it is code`)
			return
		}
		d.variable(it, "NODE_OPTIONS", strings.Join(args, " "))
	case d.config.StartCommand != "":
		d.r.note(it, Became, "app_start_command")
	case it.value.kind == code:
		d.r.note(it, ByHand, `set "app_start_command": it is code`)
	default:
		d.r.note(it, Automatic, "it says what is run, as found out here")
	}
}

// pm2 are the settings of a process of PM2 5 and 6.
var pm2 = func() table {
	t := table{
		"name":           {do: appName},
		"cwd":            {do: func(d *draft, it item) { d.text(it, d.root) }},
		"instances":      {do: workers},
		"env":            {do: variablesOf},
		"env_production": {do: variablesOf},
		"env_file": {do: func(d *draft, it item) {
			d.text(it, func(it item, s string) { d.put(it, pair{"env_files", []string{s}}) })
		}},
		"max_memory_restart":    {key: "memory_limit", as: asMegabytes},
		"kill_timeout":          {key: "stop_grace", as: asMilliseconds},
		"listen_timeout":        {key: "start_timeout", as: asMilliseconds},
		"out_file":              {do: logFile},
		"error_file":            {automatic: `"app_log_file" takes both outputs`},
		"uid":                   {key: "user"},
		"gid":                   {key: "group"},
		"exec_mode":             {automatic: "processes share their requests either way"},
		"watch":                 {byHand: byRestartTxt},
		"cron_restart":          {byHand: "cron(8) with passenger-pool restart"},
		"autorestart":           {automatic: "a process that ends is replaced, with growing pauses"},
		"wait_ready":            {automatic: "a process is ready when it listens"},
		"merge_logs":            {automatic: `all processes write to "app_log_file"`},
		"log_date_format":       {automatic: "the spawner's log has the time of each line"},
		"instance_var":          {byHand: "processes have no number; give none of them work of its own"},
		"port":                  {automatic: "each process gets its own $PORT, and the proxy listens for clients"},
		"source_map_support":    {byHand: `NODE_OPTIONS=--enable-source-maps in "envvars"`},
		"shutdown_with_message": {byHand: "processes get SIGTERM"},
		"stop_exit_codes":       {automatic: byPool},
		"pmx":                   {automatic: byStatus},
		"script":                {byHand: `set "startup_file" or "app_start_command"`},
		"args":                  {byHand: `set "app_start_command"`},
		"node_args":             {byHand: `set NODE_OPTIONS in "envvars"`},
	}
	for name, like := range map[string]string{
		"out": "out_file", "output": "out_file", "log_file": "out_file", "log": "out_file", "error": "error_file", "err_file": "error_file", "interpreter": "args", "exec_interpreter": "args", "interpreter_args": "node_args",
		"ignore_watch": "watch", "watch_options": "watch", "watch_delay": "watch", "cron": "cron_restart", "combine_logs": "merge_logs", "time": "log_date_format", "log_type": "log_date_format", "increment_var": "instance_var", "user": "uid", "group": "gid", "instance": "instances",
		"min_uptime": "autorestart", "max_restarts": "autorestart", "restart_delay": "autorestart", "exp_backoff_restart_delay": "autorestart", "treekill": "autorestart", "force": "autorestart", "vizion": "pmx", "namespace": "pmx", "automation": "pmx", "pid_file": "pmx", "pid": "pmx",
		"disable_source_map_support": "stop_exit_codes", "disable_logs": "merge_logs", "kill_retry_time": "stop_exit_codes", "trace": "pmx", "append_env_to_name": "pmx", "filter_env": "stop_exit_codes", "updateEnv": "stop_exit_codes",
	} {
		t[name] = t[like]
	}
	return t
}()
