package migrate

import (
	"passenger/lib/app"
	"path"
	"slices"
	"strings"
)

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
		d.putWith(it, `: it has to listen on $PORT or on descriptor 3; one that listens on nothing belongs into "processes" of another app`, pair{"app_start_command", line})
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
