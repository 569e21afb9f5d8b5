package protocol

import "time"

// Types of apps.
const (
	TypeRack    = "rack"
	TypeWSGI    = "wsgi"
	TypeASGI    = "asgi"
	TypeNode    = "node"
	TypeGeneric = "generic"
)

// An AppConfig is how to run and to route one app: the content of
// Passengerfile.json, of a file in --apps-dir and of apps/NAME.json. Zero
// values mean the default that the comment names; package app fills them in.
// Passengerfile(5) is this text for readers without Go.
type AppConfig struct {
	// Name is 1 to 40 characters of [a-z0-9._-], the first a letter or digit.
	// Default: made from the last element of AppRoot.
	Name string `json:"name,omitempty"`

	// Unused are the keys of its file that have a meaning for Phusion Passenger
	// only. Programs that read such files tell of them. It is no key itself.
	Unused []string `json:"-"`

	// AppRoot is the app's directory, absolute. It may be a symlink, which is
	// resolved once per generation.
	AppRoot string `json:"app_root,omitempty"`

	// Type is one of the types above. Default: detected.
	Type string `json:"app_type,omitempty"`

	// StartupFile is relative to AppRoot. Default: by type.
	StartupFile string `json:"startup_file,omitempty"`

	// StartCommand makes the app generic: it is run by sh -c 'exec …'.
	StartCommand string `json:"app_start_command,omitempty"`

	// Environment is the value of RAILS_ENV, RACK_ENV, WSGI_ENV, NODE_ENV and
	// PASSENGER_APP_ENV. Default: production.
	Environment string `json:"environment,omitempty"`

	// EnvVars are added to the app's environment and win over all others but
	// the variables of the process contract.
	EnvVars map[string]string `json:"envvars,omitempty"`

	// Ruby, Python and Nodejs are interpreters: names or paths. Default:
	// "ruby"; the app's virtualenv, else "python3"; "node".
	Ruby   string `json:"ruby,omitempty"`
	Python string `json:"python,omitempty"`
	Nodejs string `json:"nodejs,omitempty"`

	// EnvFiles are files of NAME=VALUE lines, relative to AppRoot or absolute,
	// read anew for each generation as the app's user. EnvVars win over them.
	EnvFiles []string `json:"env_files,omitempty"`

	// LoadShellEnvVars takes over what the user's login shell exports.
	LoadShellEnvVars bool `json:"load_shell_envvars,omitempty"`

	// SpawnMethod is "smart" (fork from a process that has loaded the app) or
	// "direct" (load it in each). Default: smart where the type can.
	SpawnMethod string `json:"spawn_method,omitempty"`

	// PreloaderIdleTime is how long a preloader may have nothing to fork, in
	// seconds. Default: 300; 0 is a value of its own: it stays.
	PreloaderIdleTime *float64 `json:"max_preloader_idle_time,omitempty"`

	// ReforkAfter is after how many requests a process is promoted to be the
	// preloader of its generation. 0 means never.
	ReforkAfter int `json:"refork_after,omitempty"`

	// Threads is how many requests a Rack or WSGI process answers at once.
	// Default: 1.
	Threads int `json:"threads,omitempty"`

	// User and Group are whom the app runs as, if the spawner switches users.
	// Default: the owner of the startup file, and that user's own group. The
	// group "!STARTUP_FILE!" is that of the startup file.
	User  string `json:"user,omitempty"`
	Group string `json:"group,omitempty"`

	// Umask in octal, as "0027". Default: the spawner's.
	Umask string `json:"umask,omitempty"`

	// RLimits are resource limits of setrlimit(2), each as NAME=VALUE:
	// "nofile=4096", "core=unlimited".
	RLimits []string `json:"rlimits,omitempty"`

	// Nice is added to the spawner's own nice value.
	Nice int `json:"nice,omitempty"`

	// OOMScoreAdj is that of proc(5), -1000 to 1000. Default: 0.
	OOMScoreAdj int `json:"oom_score_adj,omitempty"`

	// NoNewPrivileges keeps set-user-ID programs from giving the app other
	// privileges (PR_SET_NO_NEW_PRIVS). Default: whether users are switched.
	NoNewPrivileges *bool `json:"no_new_privileges,omitempty"`

	// MemoryMax (MB), PIDsMax and CPUWeight (1 to 10000) are limits of each
	// process's cgroup, where cgroups are delegated. 0 means none.
	MemoryMax int `json:"memory_max,omitempty"`
	PIDsMax   int `json:"pids_max,omitempty"`
	CPUWeight int `json:"cpu_weight,omitempty"`

	// LogFile is a file that takes what the processes write, instead of the
	// spawner's own output. Relative to AppRoot or absolute, opened as the
	// app's user.
	LogFile string `json:"app_log_file,omitempty"`

	// MinInstances is how many processes are kept at least. Default: 1; 0 is
	// a value of its own, so it is a pointer.
	MinInstances *int `json:"min_instances,omitempty"`

	// MaxInstances is how many processes there may be. 0 means only the
	// pool's own maximum counts.
	MaxInstances int `json:"max_instances,omitempty"`

	// SpareInstances is how many processes without a request are kept ready
	// while the app serves, within the maximum. Default: 0.
	SpareInstances int `json:"spare_instances,omitempty"`

	// MaxConcurrency overrides how many sessions a process can take at once;
	// 0 means no limit. Default: what the app's type can.
	MaxConcurrency *int `json:"force_max_concurrent_requests_per_process,omitempty"`

	// Times in seconds. 0 means the default.
	StartTimeout float64 `json:"start_timeout,omitempty"`  // 90: from start to ready
	StopGrace    float64 `json:"stop_grace,omitempty"`     // 30: from SIGTERM to SIGKILL
	DrainTimeout float64 `json:"drain_timeout,omitempty"`  // 30: for requests in flight when a process is to go
	IdleTime     float64 `json:"pool_idle_time,omitempty"` // 300: a process over the minimum is stopped after it

	// QueueSize is how many requests may wait for a free process. Without it that
	// is as many as the proxy has memory and descriptors for; 0 is a value of its
	// own: none may wait.
	QueueSize *int `json:"max_request_queue_size,omitempty"`

	// QueueTime is how long a request may wait in the queue. Default: 60 s.
	QueueTime float64 `json:"max_request_queue_time,omitempty"`

	// ReadTimeout is the longest wait for the first byte of a response, and
	// the longest silence in one. Default: 600 s.
	ReadTimeout float64 `json:"read_timeout,omitempty"`

	// ServerNames are the host names that the app answers to, exact or
	// "*.example.com". Default: any.
	ServerNames []string `json:"server_names,omitempty"`

	// BaseURI is the path below which the app is mounted. Default: "/".
	BaseURI string `json:"base_uri,omitempty"`

	// HealthPath is what a new process is asked for, and has to answer with a
	// status of 200 to 399, before it gets requests. Default: it is not asked.
	HealthPath string `json:"health_check_path,omitempty"`

	// HealthTimeout is how long a new process has for that, in seconds; it is
	// asked again meanwhile. Default: 10.
	HealthTimeout float64 `json:"health_check_timeout,omitempty"`

	// WarmUp are paths that a new process is asked for, once each, before its
	// health check. What it answers does not matter.
	WarmUp []string `json:"warm_up_requests,omitempty"`

	// YJIT enables Ruby's compiler, or keeps it off. Default: it is enabled if
	// that can be done once the app has loaded, as from Ruby 3.3 on.
	YJIT *bool `json:"yjit,omitempty"`

	// RestartDir is where restart.txt and always_restart.txt are looked for,
	// relative to AppRoot or absolute. Default: "tmp".
	RestartDir string `json:"restart_dir,omitempty"`

	// WatchErrors is the share of responses with a 5xx status, 0 to 1, over
	// which a new generation is taken back in its first minute. 0 means that
	// its errors are not looked at; nil, that they are compared with those of
	// the generation before while it is on trial.
	WatchErrors *float64 `json:"watch_errors,omitempty"`

	// TrialTime is how long a new generation serves before it is accepted and
	// the last old process is stopped, in seconds. Default: 3.
	TrialTime *float64 `json:"trial_time,omitempty"`

	// RestartSurge is how many processes over the maximum there may be during
	// a restart. Default: 1.
	RestartSurge *int `json:"restart_surge,omitempty"`

	// MaxRequests is after how many requests, less up to a tenth, a process is
	// replaced. 0 means never.
	MaxRequests int `json:"max_requests,omitempty"`

	// MemoryLimit is over how much memory, in MB (2^20 bytes) of proportional
	// set size, a process is replaced; at twice that it is stopped at once. 0
	// means no limit.
	MemoryLimit int `json:"memory_limit,omitempty"`

	// MaxRequestTime is the longest wait for the first byte of a response, in
	// seconds: then the request is answered 504 and the process replaced. 0
	// means that only ReadTimeout counts, which does not replace it.
	MaxRequestTime float64 `json:"max_request_time,omitempty"`

	// FriendlyErrors shows spawn errors with their details to every client.
	// Default: only if Environment is "development".
	FriendlyErrors *bool `json:"friendly_error_pages,omitempty"`

	// Processes are the app's side processes by their type: 1 to 40 characters of
	// [a-zA-Z0-9_-], not "web". Default: none.
	Processes map[string]SideProcess `json:"processes,omitempty"`

	Serving
}

// An App is the pool's view of one app: the reply to GET /v1/apps/NAME.
type App struct {
	Name   string    `json:"name"`
	Config AppConfig `json:"config"`

	// Generation that new processes get.
	Generation int `json:"generation"`

	// State is "ready" (a process serves), "starting" (none yet), "idle" (none
	// wanted), "backoff" (its processes die at start) or "restarting".
	State string `json:"state"`

	Processes []AppProcess `json:"processes"`

	// Side are the side processes, in order of their types.
	Side []Side `json:"side_processes,omitempty"`

	// Paused is PausedHold or PausedPage, empty unless the app is paused.
	Paused string `json:"paused,omitempty"`

	// Instances is the number of processes that an order (POST scale) asked for,
	// whatever the demand and the settings; nil without such an order.
	Instances *int `json:"instances,omitempty"`

	// Queued is how many requests wait, over all proxies.
	Queued     int     `json:"queued"`
	OldestWait float64 `json:"oldest_wait_seconds"`

	// Wanted is how many processes the app would have for its load, were there
	// room, and WantedReason says why in a sentence. It falls a minute after the
	// load.
	Wanted       int    `json:"wanted"`
	WantedReason string `json:"wanted_reason"`

	// Needs is how many processes the load is worth now: not rounded, not held for
	// a minute, and without the least that the app is to have. Over machines this
	// is what to sum.
	Needs float64 `json:"needs"`

	// Withheld says why memory keeps the app from a process that it would have,
	// empty if it does not.
	Withheld string `json:"withheld,omitempty"`

	// Failures is how many starts failed in a row; NextTry is when the next
	// one is made, the zero time if none is planned.
	Failures int       `json:"failures"`
	NextTry  time.Time `json:"next_try,omitzero"`

	// LastError is why the last failed start failed. It is kept until a start
	// succeeds.
	LastError *SpawnError `json:"last_error,omitempty"`

	// Restart is the one under way, else the last one, nil if there was none
	// since the pool started.
	Restart *Restart `json:"restart,omitempty"`
}

// App states.
const (
	AppReady      = "ready"
	AppStarting   = "starting"
	AppIdle       = "idle"
	AppBackoff    = "backoff"
	AppRestarting = "restarting"
)

// An AppProcess is a process as the pool and its proxies see it.
type AppProcess struct {
	Process

	InFlight int `json:"in_flight"`

	// Upgraded counts upgraded connections; see [ProcessReport].
	Upgraded  int    `json:"upgraded,omitempty"`
	Processed uint64 `json:"processed"`

	// LastUsed is the zero time if it never had a request.
	LastUsed time.Time `json:"last_used,omitzero"`
}

// An AppList is the reply to GET /v1/apps.
type AppList struct {
	Apps []App `json:"apps"`

	// MaxPoolSize is how many processes there may be in all.
	MaxPoolSize int `json:"max_pool_size"`

	// MaxPoolSizeReason says which quota of processors it comes from, empty if from none.
	MaxPoolSizeReason string `json:"max_pool_size_reason,omitempty"`

	// SpawnerUp says whether the pool has the spawner's ear.
	SpawnerUp bool `json:"spawner_up"`

	// Proxies that reported within the last ReportExpiry.
	Proxies []string `json:"proxies"`

	// Host is what the spawner said last of the place where processes live.
	Host Host `json:"host"`

	// Refused are the settings in files that the pool did not take.
	Refused []Refusal `json:"refused,omitempty"`
}

// What becomes of the requests of an app that is paused.
const (
	PausedHold = "hold" // they wait in the queue, up to its limits
	PausedPage = "page" // they are answered 503 at once, with a page that says so
)

// A PauseRequest is the body of POST /v1/apps/NAME/pause.
type PauseRequest struct {
	// Page answers requests with a maintenance page instead of holding them.
	Page bool `json:"page,omitempty"`

	// Wait asks for the reply to come when no process has a request any more,
	// at most for Timeout; 0 means 10 minutes.
	Wait    bool    `json:"wait,omitempty"`
	Timeout float64 `json:"timeout_seconds,omitempty"`
}

// A ScaleRequest is the body of POST /v1/apps/NAME/scale.
type ScaleRequest struct {
	// Instances is how many processes there are to be; nil leaves it to the
	// settings and the demand again.
	Instances *int `json:"instances"`
}
