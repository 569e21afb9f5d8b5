package protocol

// Values of added_headers: those that apps and frameworks read, or also those
// that repeat what others say, or that monitoring agents read.
const (
	HeadersFew = "few"
	HeadersAll = "all"
)

// Serving is the settings of an app that only its proxies need. They are keys
// of the app's configuration, and the pool passes them on with the route as
// they are. Zero values mean the default that the comment names.
type Serving struct {
	// OverflowStatus is the status of the answer to a request that finds the
	// queue full. Default: 503.
	OverflowStatus int `json:"request_queue_overflow_status_code,omitempty"`

	// BufferUpload keeps a request's body until it is whole before a process is
	// held for it. Default: if processes take a limited number of requests at
	// once and the body's length is known.
	BufferUpload *bool `json:"buffer_upload,omitempty"`

	// BufferResponse keeps what a client does not take of an answer, so that it
	// holds no process. Default: true.
	BufferResponse *bool `json:"buffer_response,omitempty"`

	// ResponseHighWater is how many bytes of an answer are kept at most, at
	// least 131072: up to so many in memory, the rest on disk. Default:
	// 134217728.
	ResponseHighWater int `json:"response_buffer_high_watermark,omitempty"`

	// PassExpect leaves the answer to Expect: 100-continue to the app, if its
	// processes speak HTTP: it may refuse a body before it is sent. The body is
	// not kept then, whatever BufferUpload says. Default: false.
	PassExpect bool `json:"pass_expect,omitempty"`

	// AddedHeaders is HeadersFew or HeadersAll: which headers the proxy adds to a
	// request for a process that speaks HTTP. Default: HeadersFew.
	AddedHeaders string `json:"added_headers,omitempty"`

	// MaxBodySize is the longest body of a request in bytes. 0 means no limit.
	MaxBodySize int `json:"max_request_body_size,omitempty"`

	// Compression compresses the bodies of answers that get shorter by it, where
	// the client takes that. Default: no.
	Compression bool `json:"compression,omitempty"`

	// RequestRate is how many requests a second the app gets from all clients
	// together, RequestBurst how many of them may come at once, and
	// RequestConcurrency how many may be under way at once, those that wait and
	// upgraded connections among them. Those with Client are the same for each
	// client: an address of IPv4, or a network of IPv6 with 64 bits. More are
	// answered 429; files that the proxy serves itself do not count. Each proxy
	// counts for itself. Default: no limit, and a burst of what comes in a second.
	RequestRate              float64 `json:"request_rate,omitempty"`
	RequestBurst             int     `json:"request_burst,omitempty"`
	RequestConcurrency       int     `json:"request_concurrency,omitempty"`
	ClientRequestRate        float64 `json:"client_request_rate,omitempty"`
	ClientRequestBurst       int     `json:"client_request_burst,omitempty"`
	ClientRequestConcurrency int     `json:"client_request_concurrency,omitempty"`

	// CanonicalHost is the host, maybe with a port, to which requests for any other
	// are redirected, but for those of HealthPath and those that name no host.
	// Default: none.
	CanonicalHost string `json:"canonical_host,omitempty"`

	// StaticDir is the directory of files that proxies serve themselves,
	// relative to AppRoot or absolute; absolute in a route. "none" is for none.
	// Default: "public".
	StaticDir string `json:"static_files_dir,omitempty"`

	// StaticMounts are further such directories: what a path below BaseURI begins
	// with, which begins and ends with a slash, and the directory that stands for
	// it, relative to AppRoot or absolute. A path that one begins is looked for in
	// that of the longest alone.
	StaticMounts map[string]string `json:"static_mounts,omitempty"`

	// StaticCacheControl are the values of Cache-Control that files are sent
	// with, by the same beginnings of paths. Default: none, but for files whose
	// name changes with their content.
	StaticCacheControl map[string]string `json:"static_cache_control,omitempty"`

	// SendfileDirs are the directories below which an answer's X-Sendfile may
	// name a file for the proxy to send, relative to AppRoot or absolute; those
	// that are relative are below the release that the process was started from.
	// Default: none, and the field is passed on.
	SendfileDirs []string `json:"sendfile_dirs,omitempty"`

	// AccelLocations are the same for X-Accel-Redirect: what a path begins with,
	// which begins and ends with a slash, and the directory that stands for it.
	AccelLocations map[string]string `json:"accel_locations,omitempty"`

	// Unlisted keeps the app from requests by host and path: only a web server
	// in front gives it some, by secure headers.
	Unlisted bool `json:"unlisted,omitempty"`

	// ErrorPage and MaintenancePage are HTML files that clients get while the
	// app cannot be started, and while it is paused, relative to AppRoot or
	// absolute; absolute in a route. Default: pages of the proxy's own.
	ErrorPage       string `json:"custom_error_page,omitempty"`
	MaintenancePage string `json:"maintenance_page,omitempty"`

	// AbortWebSockets closes the upgraded connections of a process as soon as it
	// is to go. If it is false they may last until the process ends, at most for
	// DrainTimeout. Default: true.
	AbortWebSockets *bool `json:"abort_websockets_on_process_shutdown,omitempty"`

	// MaxUpgraded is how many connections that were upgraded, and hold none of
	// the sessions that it can take at once, a process of rack or wsgi may have.
	// Default: 500.
	MaxUpgraded *int `json:"max_upgraded_per_process,omitempty"`

	// Turbocaching keeps answers that their Cache-Control allows a shared cache
	// to keep, and gives them to every client that asks for the same. CacheCookie is the
	// name of a cookie by whose value they are told apart. Default: no, and none.
	Turbocaching bool   `json:"turbocaching,omitempty"`
	CacheCookie  string `json:"vary_turbocache_by_cookie,omitempty"`

	// StickySessions sends a client to the process that answered it last, as
	// long as that serves.
	StickySessions bool `json:"sticky_sessions,omitempty"`

	// StickyCookie and StickyAttributes are the cookie's name and what follows
	// its path. Default: "_passenger_route" and "SameSite=Lax; Secure;".
	StickyCookie     string `json:"sticky_sessions_cookie_name,omitempty"`
	StickyAttributes string `json:"sticky_sessions_cookie_attributes,omitempty"`
}
