package protocol

import "time"

// Routes is the route table: what the pool tells the proxies. It is the reply
// to GET /v1/routes, each line of its watch, and the content of routes.json.
type Routes struct {
	// Version rises with every change, also over restarts of the pool.
	Version uint64 `json:"version"`

	// Apps are in order of their names. None is nil, and none is changed once it is
	// in a table: the next one has the same pointer if the route is the same.
	Apps []*Route `json:"apps"`

	// Base is set in a line of a watch with ?changes=1 that tells changes only: it
	// is the Version of the line before, and Apps holds those that are new or
	// changed since. 0 says that the table is whole.
	Base uint64 `json:"base,omitempty"`

	// Gone are the names of apps that were in the line before and are in the table
	// no more, if it has a Base.
	Gone []string `json:"gone,omitempty"`
}

// A Route is what a proxy needs to know of one app.
type Route struct {
	App        string `json:"app"`
	Generation int    `json:"generation"`

	// ServerNames are in lower case, exact or "*.example.com"; empty matches
	// every host that no other route names.
	ServerNames []string `json:"server_names,omitempty"`

	// BaseURI is "/" or a path without a slash at its end. It matches whole
	// path elements only.
	BaseURI string `json:"base_uri"`

	// AppRoot is the app's directory as in its settings: it may be a symlink.
	// StaticDir below it means the same place in the directories that processes
	// were started from.
	AppRoot string `json:"app_root,omitempty"`

	// UID is the number of the user that the app's processes run as, nil as long
	// as no start has told.
	UID *int `json:"uid,omitempty"`

	// HealthPath is the path of the app's health check, empty for none.
	HealthPath string `json:"health_path,omitempty"`

	// SetByApp are those of the settings that name files and directories which
	// stand in the app's own Passengerfile.json alone: they are the word of the
	// users who may write there, not of the administrator.
	// Each of accel_locations has an [AccelLocationKey], and each of static_mounts
	// a [StaticMountKey].
	SetByApp []string `json:"set_by_app,omitempty"`

	// QueueSize is how many requests may wait for a free process, in each
	// proxy. Zero means none: a request that finds every process busy is
	// answered 503 at once.
	QueueSize int `json:"queue_size"`

	// QueueOpen says that no setting bounds the queue: a proxy lets as many wait
	// as it has memory and descriptors for, and sends the oldest away when there
	// are more. One that does not know this takes QueueSize.
	QueueOpen bool `json:"queue_open,omitempty"`

	QueueTime    float64 `json:"queue_time_seconds"`
	ReadTimeout  float64 `json:"read_timeout_seconds"`
	DrainTimeout float64 `json:"drain_timeout_seconds"`

	// RequestTime is the longest wait for the first byte of a response; 0 means
	// that only ReadTimeout counts. A process that exceeds it is stuck.
	RequestTime float64 `json:"request_time_seconds,omitempty"`

	// Paused is PausedHold or PausedPage while no process gets a request.
	Paused string `json:"paused,omitempty"`

	// Instances is for the next pool only; see [App].
	Instances *int `json:"instances,omitempty"`

	// MinInstances is how many processes the pool keeps without requests; 0 of an
	// app whose first one is started for a request.
	MinInstances int `json:"min_instances,omitempty"`

	Processes []RouteProcess `json:"processes"`

	// Error is set while the app has no process and its last start failed: a
	// request is then answered 503 at once instead of waiting.
	Error *SpawnError `json:"error,omitempty"`

	// NextTry is when the next start is due after Error. With TryAtRequest a
	// request that comes waits instead of being answered: the app is started
	// for it, and only a failure of that start answers it.
	NextTry      time.Time `json:"next_try,omitzero"`
	TryAtRequest bool      `json:"try_at_request,omitempty"`

	// Trial says that the newest generation is on trial: a proxy reports at
	// once when a process of the app lets a request down.
	Trial bool `json:"trial,omitempty"`

	// Canary is set while a new generation gets a share of the clients.
	Canary *Canary `json:"canary,omitempty"`

	// FriendlyErrors allows the error page to show Error's details.
	FriendlyErrors bool `json:"friendly_errors,omitempty"`

	Serving
}

// A Canary is a new generation that gets a share of the clients.
type Canary struct {
	Generation int `json:"generation"`

	// Share is over 0 and under 1. A client that has no cookie of the canary's gets
	// either generation by it; with Sticky it gets a cookie, and so the same again.
	Share  float64 `json:"share"`
	Sticky bool    `json:"sticky,omitempty"`

	// For, Until and BeganAt are for the next pool only: how long it is tried, in
	// seconds, until when, the zero time if no process of it serves yet, and when
	// it began.
	For     float64   `json:"for_seconds"`
	Until   time.Time `json:"until,omitzero"`
	BeganAt time.Time `json:"began_at"`
}

// AccelLocationKey is what one of the accel_locations is called in SetByApp.
func AccelLocationKey(prefix string) string { return "accel_locations." + prefix }

// StaticMountKey is what one of the static_mounts is called in SetByApp.
func StaticMountKey(prefix string) string { return "static_mounts." + prefix }

// A RouteProcess is one process that a proxy may send requests to.
type RouteProcess struct {
	ID           string `json:"id"`
	Slot         int    `json:"slot,omitempty"` // see [Process]
	PID          int    `json:"pid"`
	Address      string `json:"address"`
	DataProtocol string `json:"protocol"`

	// SessionForm is as in the process object.
	SessionForm int `json:"session_form,omitempty"`

	// Concurrency is how many sessions it can take at once, 0 for no limit.
	Concurrency int `json:"concurrency"`

	// AppRoot is the app's directory as the process found it, without symlinks.
	AppRoot string `json:"app_root,omitempty"`

	Root

	// Generation is that of the process, of which a higher one is newer.
	Generation int `json:"generation,omitempty"`

	// Draining forbids new sessions on it.
	Draining bool `json:"draining,omitempty"`

	// Leaving says that it drains in order to be stopped: its upgraded
	// connections are closed, unless AbortWebSockets is false.
	Leaving bool `json:"leaving,omitempty"`
}

// ReportExpiry is how long a proxy counts as alive after its last report.
const ReportExpiry = 5 * time.Second

// A ProxyReport is the body of PUT /v1/proxies/ID: sent every second, and at
// once when a queue forms, a draining process falls idle, a process's first
// session ends, one is let down while its app is on trial, or a new route
// table is in use.
type ProxyReport struct {
	PID int `json:"pid"`

	// RoutesVersion is the version of the route table in use. A process that
	// drains in that table gets no new session from this proxy.
	RoutesVersion uint64 `json:"routes_version"`

	// Processes by ID; those never used may be missing. One that left the
	// table is told for some seconds more, so that its last counts are known.
	Processes map[string]ProcessReport `json:"processes"`

	// Apps by name; those without a waiting or counted request may be missing.
	Apps map[string]AppReport `json:"apps"`

	// Leaving says that the proxy goes away and this is its last word.
	Leaving bool `json:"leaving,omitempty"`

	// Changes says that Processes and Apps hold only those that are new or differ
	// since the report before, which the pool has kept; GoneProcesses and GoneApps
	// are those of that report which are in this one no more.
	Changes       bool     `json:"changes,omitempty"`
	GoneProcesses []string `json:"gone_processes,omitempty"`
	GoneApps      []string `json:"gone_apps,omitempty"`
}

// ReportReply is the reply to PUT /v1/proxies/ID.
type ReportReply struct {
	// Kept says that the pool has kept the report, so that the next one may have
	// Changes. A pool that did not is to be told the whole.
	Kept bool `json:"kept,omitempty"`
}

// A ProcessReport counts the sessions of one process in one proxy.
type ProcessReport struct {
	InFlight int `json:"in_flight"`

	// Upgraded counts connections open that were upgraded or that the app has
	// taken over. Those of the second kind are not in flight once the process
	// is free for another session.
	Upgraded int `json:"upgraded,omitempty"`

	// Processed counts sessions that ended, since the proxy started.
	Processed uint64    `json:"processed"`
	LastUsed  time.Time `json:"last_used,omitzero"`

	// Errors counts those of them that ended with a 5xx status, or without an
	// answer.
	Errors uint64 `json:"errors,omitempty"`

	// Took is how long they lasted, all together.
	Took float64 `json:"took_seconds,omitempty"`

	// Stuck counts those of them that had no answer within RequestTime.
	Stuck uint64 `json:"stuck,omitempty"`

	// WorkAsked counts responses that asked for time out of band, with the
	// field "!~Request-OOB-Work".
	WorkAsked uint64 `json:"work_asked,omitempty"`

	// ConnectFailed says that the last connection attempt was refused: the
	// process is probably gone.
	ConnectFailed bool `json:"connect_failed,omitempty"`

	// RefusedFor is how long it has refused connections: from the first refusal
	// since it last took one to the newest.
	RefusedFor float64 `json:"refused_seconds,omitempty"`
}

// An AppReport counts the requests of one app in one proxy.
type AppReport struct {
	Queued     int     `json:"queued"`
	OldestWait float64 `json:"oldest_wait_seconds"`

	// Requests counts all that ended, Rejected those answered by the proxy
	// itself because the queue was full or the wait too long, since its start.
	Requests uint64 `json:"requests"`
	Rejected uint64 `json:"rejected"`

	// CacheHits, CacheMisses and CacheStores count what was answered from kept
	// answers, what could have been, and how many were kept.
	CacheHits   uint64 `json:"cache_hits,omitempty"`
	CacheMisses uint64 `json:"cache_misses,omitempty"`
	CacheStores uint64 `json:"cache_stores,omitempty"`

	// Retried counts how often one was tried on another process.
	Retried uint64 `json:"retried,omitempty"`

	// Errors counts those that a process let down, with a 5xx status or without
	// a whole answer: the sum over all processes, those that are gone included.
	Errors uint64 `json:"errors,omitempty"`

	// Upgraded is how many upgraded connections are open, such as WebSockets;
	// UpgradedClosed counts those that were closed because their process or the
	// proxy was to go.
	Upgraded       int    `json:"upgraded,omitempty"`
	UpgradedClosed uint64 `json:"upgraded_closed,omitempty"`
}
