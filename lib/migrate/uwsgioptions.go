package migrate

// uwsgi are the options of uWSGI 2.0.
var uwsgi = func() table {
	t := table{
		"module":       {do: uwsgiModule},
		"wsgi-file":    {do: func(d *draft, it item) { d.text(it, d.pythonFile) }},
		"callable":     {do: uwsgiCallable},
		"chdir":        {do: func(d *draft, it item) { d.text(it, d.root) }},
		"virtualenv":   {do: func(d *draft, it item) { d.text(it, d.virtualenv) }},
		"processes":    {do: workers},
		"threads":      {key: "threads", as: asInteger},
		"harakiri":     {key: "max_request_time", as: asSeconds},
		"max-requests": {key: "max_requests", as: asInteger}, "max-requests-delta": {automatic: "max_requests counts for each process a bit less, up to a tenth"},
		"env": {do: variablesOf},
		"uid": {key: "user"}, "gid": {key: "group"},
		"cheaper":                   {key: "min_instances", as: asInteger},
		"reload-on-rss":             {key: "memory_limit", as: asInteger},
		"evil-reload-on-rss":        {key: "memory_limit", as: asInteger},
		"reload-on-as":              {byHand: `"memory_limit" is about memory that is used, not about addresses`},
		"limit-as":                  {byHand: `use "rlimits" with as=BYTES, or "memory_max"`},
		"limit-nproc":               {do: func(d *draft, it item) { d.limit(it, "nproc") }},
		"limit-nofile":              {do: func(d *draft, it item) { d.limit(it, "nofile") }},
		"umask":                     {key: "umask", as: asOctal},
		"pythonpath":                {do: func(d *draft, it item) { d.paths(it, "PYTHONPATH", ":") }},
		"procname":                  {do: appName},
		"procname-prefix":           {automatic: "ps shows an app's own command line"},
		"logto":                     {do: logFile},
		"daemonize":                 {do: logFile},
		"logger":                    {byHand: `what the app writes goes to the spawner's output, or to "app_log_file"`},
		"disable-logging":           {automatic: "there is no line for a request unless --access-log asks for it"},
		"lazy-apps":                 {do: uwsgiLazy},
		"rack":                      {do: func(d *draft, it item) { d.text(it, d.rackup) }},
		"http":                      {do: listen},
		"socket":                    {byHand: listenHere + "; a web server in front has proxy_pass in the place of uwsgi_pass, see passenger-fronts(7)"},
		"https":                     {byHand: byProxyTLS},
		"chmod-socket":              {byHand: "write ?mode=0660&group=GROUP behind the proxy's unix: address"},
		"static-map":                {do: staticMap},
		"static-expires":            {byHand: `see "static_cache_control"`},
		"static-index":              {automatic: `"index.html" is that of a directory`},
		"static-gzip-all":           {automatic: "a file's compressed twin is sent where the client takes it"},
		"check-static":              {byHand: byPublic},
		"attach-daemon":             {byHand: ownService},
		"cron":                      {byHand: "cron(8), or a timer of systemd"},
		"stats":                     {byHand: byStatus},
		"touch-reload":              {byHand: byRestartTxt},
		"py-autoreload":             {byHand: byRestartTxt},
		"worker-reload-mercy":       {key: "drain_timeout", as: asSeconds},
		"reload-mercy":              {key: "stop_grace", as: asSeconds},
		"max-worker-lifetime":       {byHand: `processes are replaced for what they did or hold: "max_requests", "memory_limit"`},
		"http-timeout":              {key: "read_timeout", as: asSeconds},
		"socket-timeout":            {byHand: "passenger-proxy serve --body-timeout=DURATION"},
		"gevent":                    {byHand: `gevent needs a server that knows it: "app_start_command", see passenger-servers(7)`},
		"ini":                       {byHand: "import that file, too"},
		"http-keepalive":            {automatic: byProxy},
		"limit-post":                {key: "max_request_body_size", as: asInteger},
		"touch-logreopen":           {automatic: "passenger-pool reopen-logs"},
		"idle":                      {key: "pool_idle_time", as: asSeconds},
		"die-on-idle":               {byHand: `with "min_instances" of 0 an idle app stops`},
		"mount":                     {byHand: `an app for each, with "base_uri"`},
		"manage-script-name":        {automatic: `"base_uri" says so`},
		"pidfile":                   {automatic: byInit},
		"exec-asap":                 {byHand: "passenger-pool serve --hook runs commands at such moments"},
		"req-logger":                {byHand: byAccessLog},
		"strict":                    {automatic: "unknown settings are errors here"},
		"set-placeholder":           {automatic: "a name for other lines"},
		"wsgi-env-behaviour":        {automatic: bySpawner},
		"post-buffering":            {automatic: byProxy + `; see "buffer_upload"`},
		"py-call-osafterfork":       {automatic: bySpawner},
		"fastrouter":                {automatic: byProxy},
		"wsgi-disable-file-wrapper": {automatic: bySpawner},
	}
	for name, like := range map[string]string{
		"wsgi": "module", "w": "module", "file": "wsgi-file", "cd": "chdir", "home": "virtualenv", "venv": "virtualenv", "pyhome": "virtualenv", "H": "virtualenv",
		"workers": "processes", "p": "processes", "pp": "pythonpath", "python-path": "pythonpath", "auto-procname": "procname-prefix", "procname-prefix-spaced": "procname-prefix",
		"log-to": "logto", "logto2": "logto", "lazy": "lazy-apps", "http-socket": "http", "http11-socket": "http", "http-to": "http", "uwsgi-socket": "socket", "s": "socket", "fastcgi-socket": "socket", "scgi-socket": "socket",
		"https-socket": "https", "http-to-https": "https", "chown-socket": "chmod-socket", "static-map2": "static-map", "static-expires-uri": "static-expires", "static-gzip": "static-gzip-all", "static-safe": "check-static", "offload-threads": "post-buffering",
		"attach-daemon2": "attach-daemon", "smart-attach-daemon": "attach-daemon", "smart-attach-daemon2": "attach-daemon", "mule": "attach-daemon", "mules": "attach-daemon", "farm": "attach-daemon", "cron2": "cron", "unique-cron": "cron", "timer": "cron", "stats-http": "stats", "stats-server": "stats", "memory-report": "stats", "touch-chain-reload": "touch-reload", "touch-workers-reload": "touch-reload", "fs-reload": "touch-reload", "python-autoreload": "py-autoreload",
		"async": "gevent", "asyncio": "gevent", "ugreen": "gevent", "gevent-monkey-patch": "gevent", "include": "ini", "inherit": "ini", "import": "exec-asap", "shared-import": "exec-asap", "http-auto-chunked": "http-keepalive", "http-chunked-input": "http-keepalive", "http-raw-body": "http-keepalive",
		"exec-pre-app": "exec-asap", "exec-post-app": "exec-asap", "hook-pre-app": "exec-asap", "hook-post-app": "exec-asap", "hook-master-start": "exec-asap", "hook-as-root": "exec-asap", "hook-asap": "exec-asap", "exec-as-user": "exec-asap", "exec-as-root": "exec-asap",
		"safe-pidfile": "pidfile", "pidfile2": "pidfile", "master-fifo": "pidfile", "set-ph": "set-placeholder", "set": "set-placeholder", "logformat": "req-logger", "logformat-strftime": "req-logger", "cheap": "die-on-idle",
		"limit-nofiles": "limit-nofile", "max-fd": "limit-nofile", "http-websockets": "http-keepalive", "thunder-lock": "http-keepalive", "ssl-sessions-use-cache": "http-keepalive",
	} {
		t[name] = t[like]
	}
	t.several(rule{automatic: noWorkers}, "master", "M", "need-app", "no-orphans", "no-default-app", "vhost", "hook-master-fatal", "honour-stdin", "skip-atexit-teardown")
	t.several(rule{automatic: bySpawner}, "enable-threads", "single-interpreter", "vacuum", "die-on-term", "threads-stacksize", "workers-priority", "optimize", "autoload", "close-on-exec",
		"never-swap", "cpu-affinity", "max-worker-lifetime-delta", "worker-reload-mercy-delta", "binary-path")
	t.several(rule{automatic: byProxy}, "listen", "buffer-size", "reuse-port", "http-harakiri", "ignore-sigpipe", "ignore-write-errors", "disable-write-exception", "catch-exceptions")
	t.several(rule{automatic: "passenger-status --show=backtraces"}, "harakiri-verbose", "py-tracebacker", "show-config", "auto-snapshot")
	return t
}()

// uwsgiFamilies are options whose names begin alike.
var uwsgiFamilies = []struct {
	prefix string
	rule   rule
}{
	{"route", rule{byHand: "rules of uWSGI for requests: the web server in front, or the app, has to have them"}},
	{"plugin", rule{automatic: "the app's kind is found by its files"}},
	{"cheaper-", rule{automatic: byPool + `; see "min_instances", "max_instances" and "spare_instances"`}},
	{"emperor", rule{byHand: "/etc/passenger/apps.d has a file for each app; import each vassal"}},
	{"vassal", rule{byHand: "/etc/passenger/apps.d has a file for each app; import each vassal"}},
	{"carbon", rule{byHand: byStatus}},
	{"log-", rule{byHand: byAccessLog}},
	{"spooler", rule{byHand: ownService}},
	{"php", rule{byHand: "PHP is not run here"}},
}

// uwsgiLazy has each process load the app.
func uwsgiLazy(d *draft, it item) {
	if on, err := asTruth(it.value); err == nil && on == false {
		d.r.note(it, Automatic, "the app is loaded once and forked")
		return
	}
	d.put(it, pair{"spawn_method", "direct"})
}
