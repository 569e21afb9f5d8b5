package migrate

import (
	"strings"

	"passenger/lib/protocol"
)

var pythonAssignment = pattern(`^([A-Za-z_]\w*)\s*(?::\s*[\w\[\]., ]+?)?\s*=\s*([^=][\s\S]*)$`)

// readGunicorn reads a gunicorn.conf.py, as far as it can be known without being run.
func readGunicorn(r *reading) error {
	d, vars := r.draft(), variables{}
	d.found = true
	var list []item
	for _, s := range r.statements(python) {
		it, assigns, err := r.pythonStatement(s, vars)
		switch {
		case err != nil:
			return err
		case !assigns:
			gunicornCode(r, it)
		case gunicorn[it.name].known():
			list = append(list, it)
		default:
			vars.assign(r, it)
		}
	}
	gunicornClass(d, list)
	for _, it := range list {
		gunicorn.apply(d, it.name, it)
	}
	vars.note(r)
	return nil
}

// known says that there is such a rule.
func (u rule) known() bool {
	return u.key != "" || u.do != nil || u.automatic != "" || u.byHand != ""
}

// pythonStatement is a statement as an item, and whether it assigns a value.
func (r *reading) pythonStatement(s statement, vars variables) (item, bool, error) {
	m := pythonAssignment().FindStringSubmatch(s.text)
	if m == nil {
		v := &value{kind: code, text: s.text, line: s.line, end: s.end}
		return item{firstLine(s.text), s.line, v}, false, nil
	}
	v, err := python.parse(m[2], s.line)
	if err != nil {
		return item{}, false, err
	}
	v.line, v.end = s.line, max(s.end, v.end)
	vars.resolve(python, v)
	r.leaves = v.leaves(r.leaves)
	return item{m[1], s.line, v}, true, nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return shortened(strings.TrimSpace(line))
}

var (
	hookOfGunicorn = pattern(`^def\s+(on_starting|on_reload|when_ready|pre_fork|post_fork|post_worker_init|worker_int|worker_abort|pre_exec|child_exit|worker_exit|nworkers_changed|on_exit|pre_request|post_request|ssl_context)\b`)
	pythonImport   = pattern(`^(import|from)\s`)
	pythonText     = pattern(`^[rRbBuU]?["']`)
)

// gunicornCode notes what is no assignment.
func gunicornCode(r *reading, it item) {
	text := it.value.text
	switch m := hookOfGunicorn().FindStringSubmatch(text); {
	case pythonText().MatchString(text):
		r.note(it, Automatic, "a text that is no setting")
	case pythonImport().MatchString(text):
		r.note(it, Automatic, "no code runs here")
	case m != nil && (m[1] == "pre_request" || m[1] == "post_request"):
		r.note(it, ByHand, "code around requests is for a middleware of the app")
	case m != nil && strings.HasPrefix(m[1], "on_"), m != nil && m[1] == "when_ready":
		r.note(it, ByHand, "there is no main process of the app; passenger-pool serve --hook runs commands at such moments")
	case m != nil:
		r.note(it, ByHand, byEvents+"; in Python os.register_at_fork")
	default:
		r.note(it, ByHand, "code is not run here; see what it would do, and set that by hand")
	}
}

// gunicornClass decides by the class of workers what serves the app.
func gunicornClass(d *draft, list []item) {
	for _, it := range list {
		if it.name == "worker_class" {
			class, _ := it.value.textOf()
			d.python.asgi = strings.Contains(strings.ToLower(class), "uvicorn") || class == "asgi"
			if green(class) {
				d.green = class
			}
		}
	}
}

func green(class string) bool {
	return class == "gevent" || class == "eventlet" || class == "tornado" || strings.HasPrefix(class, "gevent_") || strings.HasPrefix(class, "gevent.")
}

// gunicorn are the settings of Gunicorn 20 to 26.
var gunicorn = table{
	"wsgi_app":     {do: gunicornApp},
	"worker_class": {do: gunicornWorkers},
	"chdir":        {do: func(d *draft, it item) { d.text(it, d.root) }},
	"workers":      {do: workers},
	"threads":      {key: "threads", as: asInteger},
	"timeout":      {do: gunicornTimeout},

	"worker_connections": {do: func(d *draft, it item) {
		if d.green != "" || d.python.asgi {
			d.convert(it, "force_max_concurrent_requests_per_process", asInteger)
			return
		}
		d.r.note(it, Automatic, "only workers of gevent and the like have it")
	}},
	"graceful_timeout":    {key: "drain_timeout", as: asSeconds},
	"max_requests":        {key: "max_requests", as: asInteger},
	"max_requests_jitter": {automatic: "max_requests counts for each process a bit less, up to a tenth"},
	"raw_env":             {do: variablesOf},
	"user":                {key: "user"}, "group": {key: "group"},
	"umask":      {key: "umask", as: asOctal},
	"pythonpath": {do: func(d *draft, it item) { d.paths(it, "PYTHONPATH", ",") }},
	"proc_name":  {do: appName}, "default_proc_name": {do: appName},
	"preload_app": {do: func(d *draft, it item) {
		if on, err := asTruth(it.value); err == nil && on == false {
			d.r.note(it, Automatic, `the app is loaded once and forked; set "spawn_method" to "direct" if it cannot be`)
			return
		}
		d.put(it, pair{"spawn_method", "smart"})
	}},
	"bind":      {do: listen},
	"backlog":   {automatic: byProxy},
	"keepalive": {byHand: "passenger-proxy serve --idle-timeout=DURATION"},
	"accesslog": {byHand: byAccessLog}, "access_log_format": {byHand: byAccessLog}, "logconfig": {byHand: "configure Python's logging in the app"},
	"logconfig_dict": {byHand: "configure Python's logging in the app"}, "logconfig_json": {byHand: "configure Python's logging in the app"}, "logger_class": {byHand: "configure Python's logging in the app"},
	"errorlog": {do: logFile}, "loglevel": {automatic: "what the app writes is passed on; the daemons have --verbose"},
	"capture_output": {automatic: bySpawner}, "disable_redirect_access_to_syslog": {automatic: "there is no syslog"},
	"syslog": {byHand: "the journal, or whatever runs the daemons, takes what they write"}, "syslog_addr": {byHand: "see syslog"}, "syslog_prefix": {byHand: "see syslog"}, "syslog_facility": {byHand: "see syslog"},
	"enable_stdio_inheritance": {automatic: bySpawner},
	"forwarded_allow_ips":      {byHand: byTrusted}, "secure_scheme_headers": {byHand: byTrusted}, "proxy_allow_ips": {byHand: byTrusted}, "forwarder_headers": {byHand: byTrusted},
	"proxy_protocol": {byHand: "passenger-proxy serve --listen proxy:ADDRESS"},
	"certfile":       {byHand: byProxyTLS}, "keyfile": {byHand: byProxyTLS}, "ca_certs": {byHand: byProxyTLS}, "cert_reqs": {byHand: byProxyTLS},
	"ssl_version": {automatic: byProxy}, "ciphers": {automatic: byProxy}, "do_handshake_on_connect": {automatic: byProxy}, "suppress_ragged_eofs": {automatic: byProxy},
	"limit_request_line": {automatic: byProxy}, "limit_request_fields": {automatic: byProxy}, "limit_request_field_size": {automatic: byProxy},
	"pidfile": {automatic: byInit}, "daemon": {automatic: byInit}, "worker_tmp_dir": {automatic: noWorkers}, "tmp_upload_dir": {byHand: "passenger-proxy serve --data-buffer-dir=DIR"},
	"reload": {byHand: byRestartTxt}, "reload_engine": {automatic: byPool}, "reload_extra_files": {byHand: byRestartTxt},
	"reuse_port": {automatic: byProxy}, "sendfile": {automatic: byProxy}, "spew": {automatic: "only for debugging"}, "check_config": {automatic: "passenger-spawn detect"}, "print_config": {automatic: "passenger-spawn detect"},
	"initgroups": {automatic: bySpawner}, "config": {byHand: "import that file, too"}, "paste": {byHand: "name the app's callable by startup_file"},
	"statsd_host": {byHand: byStatus}, "statsd_prefix": {byHand: byStatus}, "dogstatsd_tags": {byHand: byStatus}, "enable_backlog_metric": {automatic: byStatus},
	"strip_header_spaces": {automatic: byProxy}, "permit_obsolete_folding": {automatic: byProxy}, "permit_unconventional_http_method": {automatic: byProxy}, "permit_unconventional_http_version": {automatic: byProxy},
	"casefold_http_method": {automatic: byProxy}, "header_map": {automatic: byProxy}, "dirty_apps": {byHand: ownService}, "raw_paste_global_conf": {byHand: "name the app's callable by startup_file"},
	"control_socket": {automatic: "passenger-pool and passenger-status call the daemons"},
}

// gunicornApp takes over what is served, such as shop.wsgi:application.
func gunicornApp(d *draft, it item) {
	s, ok := it.value.textOf()
	if !ok {
		d.r.notef(it, ByHand, "set \"startup_file\": %v", it.value.unfit("a text"))
		return
	}
	if d.green != "" {
		d.put(it, pair{"app_start_command", "gunicorn --workers 1 --worker-class " + d.green + " " + s})
		return
	}
	d.python.module, d.python.callable, _ = strings.Cut(s, ":")
	d.startPython(it)
}

func gunicornWorkers(d *draft, it item) {
	class, ok := it.value.textOf()
	switch {
	case d.python.asgi:
		if err := d.set(pair{"app_type", protocol.TypeASGI}); err != nil {
			d.r.notef(it, ByHand, "%v", err)
			return
		}
		d.r.note(it, Became, "app_type: uvicorn serves the app")
	case class == "sync":
		d.r.note(it, Automatic, "a process takes one request at a time, if threads does not say more")
	case class == "gthread":
		d.r.note(it, Automatic, `"threads" says how many`)
	case d.green != "":
		d.r.note(it, ByHand, `Gunicorn goes on to run the app, by "app_start_command"; see passenger-servers(7)`)
	case ok:
		d.r.note(it, ByHand, `run Gunicorn by "app_start_command"; see passenger-servers(7)`)
	default:
		d.r.notef(it, ByHand, "%v", it.value.unfit("a text"))
	}
}

// gunicornTimeout bounds requests only where a worker has one at a time; others
// say by it that their loop turns.
func gunicornTimeout(d *draft, it item) {
	if d.green != "" || d.python.asgi {
		d.r.note(it, Automatic, "it was for workers that hang; see max_request_time for requests")
		return
	}
	d.convert(it, "max_request_time", asSeconds)
}
