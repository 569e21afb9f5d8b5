package migrate

import (
	"strings"
)

var (
	rubyCall       = pattern(`^([a-z_]\w*[!?]?)(?:\s*\(([\s\S]*)\)|\s+([\s\S]*))?\s*$`)
	rubyAssignment = pattern(`^([a-z_]\w*)\s*(?:\|\|)?=\s*([^=~][\s\S]*)$`)
	rubyModifier   = pattern(`\s(if|unless)\s+[^"']*(["'][^"']*["'][^"']*)*$`)
	rubyWord       = pattern(`^[a-z_]\w*[!?]?`)
	rubyMany       = pattern(`\bdo\b\s*(\|[^|]*\|)?\s*(#.*)?(\n|$)|\{\s*(\|[^|]*\|)?\s*\n`)
)

// readPuma reads a puma.rb, as far as it can be known without being run.
func readPuma(r *reading) error {
	d, vars := r.draft(), variables{}
	d.found = true
	for _, s := range r.statements(ruby) {
		text := strings.TrimSpace(s.text)
		raw := &value{kind: code, text: text, line: s.line, end: s.end}
		it := item{firstLine(text), s.line, raw}
		name := rubyWord().FindString(text)
		switch m := rubyAssignment().FindStringSubmatch(text); {
		case m != nil:
			v, err := ruby.parse(m[2], s.line)
			if err != nil {
				return err
			}
			v.line, v.end = s.line, max(s.end, v.end)
			vars.resolve(ruby, v)
			r.leaves = v.leaves(r.leaves)
			vars.assign(r, item{m[1], s.line, v})
		case puma[name].known():
			if err := pumaCall(d, name, it, vars); err != nil {
				return err
			}
		case name == "require" || name == "require_relative":
			r.note(it, Automatic, "no code runs here")
		default:
			r.note(it, ByHand, "code is not run here; see what it would do, and set that by hand")
		}
	}
	vars.note(r)
	return nil
}

// pumaCall takes a call of Puma's over. Its arguments are a list.
func pumaCall(d *draft, name string, it item, vars variables) error {
	text := it.value.text
	if m := rubyModifier().FindStringIndex(text); m != nil && it.value.end == it.line {
		d.r.note(it, ByHand, "whether it holds depends on a condition; set by hand what holds")
		return nil
	}
	if rubyMany().MatchString(text) {
		it.name = name
		puma.block(d, name, it)
		return nil
	}
	m := rubyCall().FindStringSubmatch(text)
	if m == nil {
		d.r.note(it, ByHand, "code is not run here; see what it would do, and set that by hand")
		return nil
	}
	arguments, err := ruby.parse("["+m[2]+m[3]+"\n]", it.line)
	if err != nil {
		return err
	}
	vars.resolve(ruby, arguments)
	d.r.leaves = arguments.leaves(d.r.leaves)
	if len(arguments.items) == 1 {
		arguments = arguments.items[0]
	}
	arguments.line, arguments.end = it.line, it.value.end
	puma.apply(d, name, item{name, it.line, arguments})
	return nil
}

// block notes what is done with a block.
func (t table) block(d *draft, name string, it item) {
	rule := t[name]
	if rule.key != "" || rule.do != nil {
		d.r.note(it, ByHand, "code is not run here; see what it would do, and set that by hand")
		return
	}
	t.apply(d, name, it)
}

// argument is one of the arguments of a call, nil if there are not so many.
func argument(it item, i int) *value {
	if it.value.kind == list && i < len(it.value.items) {
		return it.value.items[i]
	}
	if i == 0 && it.value.kind != list {
		return it.value
	}
	return nil
}

// puma are the calls of a configuration of Puma 5 to 8.
var puma = table{
	"workers":     {do: workers},
	"threads":     {do: pumaThreads},
	"max_threads": {key: "threads", as: asInteger}, "min_threads": {automatic: `there are always as many as "threads"`},
	"environment":             {do: environment},
	"directory":               {do: func(d *draft, it item) { d.text(it, d.root) }},
	"rackup":                  {do: func(d *draft, it item) { d.text(it, d.rackup) }},
	"preload_app!":            {automatic: `apps in Ruby are loaded once and forked; see "spawn_method"`},
	"preload_app":             {automatic: `apps in Ruby are loaded once and forked; see "spawn_method"`},
	"fork_worker":             {do: pumaRefork},
	"worker_boot_timeout":     {key: "start_timeout", as: asSeconds},
	"worker_shutdown_timeout": {key: "stop_grace", as: asSeconds},
	"force_shutdown_after":    {key: "drain_timeout", as: asSeconds},
	"stdout_redirect":         {do: func(d *draft, it item) { pumaLog(d, it, argument(it, 0)) }},
	"tag":                     {do: appName},
	"worker_timeout":          {byHand: `"max_request_time" bounds requests, and "read_timeout" their silence`},
	"bind":                    {do: listen}, "port": {do: pumaPort}, "ssl_bind": {byHand: byProxyTLS}, "bind_to_activated_sockets": {automatic: byProxy},
	"pidfile": {automatic: byInit}, "state_path": {automatic: byInit}, "state_permission": {automatic: byInit}, "daemonize": {automatic: byInit},
	"activate_control_app": {byHand: "passenger-pool and passenger-status take its place"},
	"plugin":               {do: pumaPlugin},
	"before_fork":          {byHand: byEvents + ", :before_fork"}, "on_worker_boot": {byHand: byEvents + ", :starting_worker_process"}, "before_worker_boot": {byHand: byEvents + ", :starting_worker_process"},
	"on_worker_fork": {byHand: byEvents + ", :before_fork"}, "before_worker_fork": {byHand: byEvents + ", :before_fork"}, "after_worker_fork": {byHand: byEvents},
	"on_worker_shutdown": {byHand: byEvents + ", :stopping_worker_process"}, "before_worker_shutdown": {byHand: byEvents + ", :stopping_worker_process"},
	"on_refork": {byHand: byEvents + ", :before_fork"}, "before_refork": {byHand: byEvents + ", :before_fork"}, "after_refork": {byHand: byEvents + ", :starting_worker_process"},
	"on_thread_start": {byHand: byEvents + ", :starting_request_handler_thread"}, "before_thread_start": {byHand: byEvents + ", :starting_request_handler_thread"}, "on_thread_exit": {byHand: byEvents}, "before_thread_exit": {byHand: byEvents},
	"out_of_band": {byHand: byEvents + ", :oob_work"},
	"on_restart":  {byHand: "passenger-pool serve --hook runs commands at such moments"}, "before_restart": {byHand: "passenger-pool serve --hook runs commands at such moments"},
	"on_booted": {byHand: "passenger-pool serve --hook runs commands at such moments"}, "after_booted": {byHand: "passenger-pool serve --hook runs commands at such moments"}, "on_stopped": {byHand: "passenger-pool serve --hook runs commands at such moments"}, "after_stopped": {byHand: "passenger-pool serve --hook runs commands at such moments"},
	"app":                    {byHand: "put it into a config.ru"},
	"lowlevel_error_handler": {byHand: `see "custom_error_page", and the app's own error pages`},
	"log_requests":           {byHand: byAccessLog}, "log_formatter": {byHand: byAccessLog}, "quiet": {automatic: "there is no line for a request unless --access-log asks for it"}, "custom_logger": {byHand: "configure logging in the app"},
	"debug": {automatic: "the daemons have --verbose"}, "early_hints": {automatic: byProxy}, "set_remote_address": {byHand: byTrusted}, "set_default_host": {automatic: byProxy},
	"first_data_timeout": {byHand: "passenger-proxy serve --header-timeout=DURATION"}, "persistent_timeout": {byHand: "passenger-proxy serve --idle-timeout=DURATION"},
	"queue_requests": {automatic: byProxy}, "shutdown_debug": {automatic: "passenger-status --show=backtraces"}, "drain_on_shutdown": {automatic: byProxy},
	"wait_for_less_busy_worker": {automatic: byProxy}, "prune_bundler": {automatic: bySpawner}, "extra_runtime_dependencies": {automatic: bySpawner},
	"nakayoshi_fork": {automatic: bySpawner}, "raise_exception_on_sigterm": {automatic: bySpawner}, "io_selector_backend": {automatic: byProxy}, "worker_check_interval": {automatic: byPool},
	"silence_single_worker_warning": {automatic: noWorkers}, "silence_fork_callback_warning": {automatic: noWorkers}, "worker_culling_strategy": {automatic: byPool},
	"mutate_stdout_and_stderr_to_sync_on_write": {automatic: bySpawner}, "max_fast_inline": {automatic: byProxy}, "max_keep_alive": {automatic: byProxy}, "enable_keep_alives": {automatic: byProxy}, "idle_timeout": {byHand: `with "min_instances" of 0 an idle app stops`},
	"http_content_length_limit": {key: "max_request_body_size", as: asInteger}, "supported_http_methods": {automatic: byProxy}, "clean_thread_locals": {automatic: bySpawner}, "rack_url_scheme": {byHand: byTrusted},
	"load": {byHand: "import that file, too"}, "restart_command": {automatic: "passenger-pool restart"}, "fiber_per_request": {automatic: bySpawner}, "max_io_threads": {automatic: `see "threads"`}, "mode": {automatic: noWorkers},
}

// rackup sets the startup file of a Rack app.
func (d *draft) rackup(it item, file string) {
	d.put(it, pair{"app_type", "rack"}, pair{"startup_file", d.relative(file)})
}

func pumaThreads(d *draft, it item) {
	most := argument(it, 1)
	if most == nil {
		most = argument(it, 0)
	}
	n, err := asInteger(most)
	if err != nil {
		d.r.notef(it, ByHand, "set \"threads\": %v", err)
		return
	}
	if most.variable != "" {
		it.value.variable = most.variable
	}
	d.put(it, pair{"threads", n})
}

// pumaRefork is fork_worker, which takes how many requests go before.
func pumaRefork(d *draft, it item) {
	if it.value.kind == list && len(it.value.items) == 0 {
		d.put(it, pair{"refork_after", 1000})
		return
	}
	d.convert(it, "refork_after", asInteger)
}

func pumaLog(d *draft, it item, v *value) {
	s, ok := v.textOf()
	if !ok {
		d.r.notef(it, ByHand, "set \"app_log_file\": it is no text that is known")
		return
	}
	d.put(it, pair{"app_log_file", s})
}

func pumaPort(d *draft, it item) {
	it2 := item{it.name, it.line, argument(it, 0)}
	if it2.value == nil {
		it2.value = it.value
	}
	listen(d, it2)
	it.value.tell()
	d.r.skip(it.line, it.value.end)
}

func pumaPlugin(d *draft, it item) {
	name, _ := argument(it, 0).textOf()
	switch name {
	case "tmp_restart":
		d.r.note(it, Automatic, `the pool looks for tmp/restart.txt; see "restart_dir"`)
	case "systemd", "heroku":
		d.r.note(it, Automatic, bySpawner)
	case "solid_queue", "good_job", "sidekiq", "resque":
		d.r.note(it, ByHand, ownService)
	case "statsd", "yabeda", "yabeda_prometheus", "prometheus":
		d.r.note(it, ByHand, byStatus)
	case "tailwindcss":
		d.r.note(it, ByHand, "for development: "+ownService)
	default:
		d.r.note(it, ByHand, "plugins of Puma do not run here; look at what it is for")
	}
}
