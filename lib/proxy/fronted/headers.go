// Package fronted serves apps that a web server in front of the proxy configures.
//
// The web server says by fields of each request, its secure headers, which app
// the request is for and how that is run. [Headers] reads them; a [Registrar]
// finds the app, and has the pool add one that it does not know yet.
package fronted

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"strings"

	"passenger/lib/http1"
)

// Secure headers are how a web server in front configures apps for each
// request: fields whose names begin with !~, as Phusion Passenger has them
// between its modules for nginx and Apache and its core. They are read on
// listeners that are meant for them and nowhere else: to all others these are
// odd names, which reach no app.

// A Name is one of these fields. It is also the place of the field in
// tables of them.
type Name uint8

// The fields of a request. Those from appGroupName on describe the app.
const (
	flags Name = iota
	RemoteAddr
	RemotePort
	RemoteUser
	appGroupName
	appRoot
	documentRoot
	scriptName
	firstSetting // and those after it are in settings
)

// A setting is a secure header that stands for a key of an app's settings.
type setting struct {
	header, key string
	kind        settingKind
}

type settingKind uint8

const (
	text settingKind = iota
	number
	boolean
	variables // base64 of NAME NUL VALUE NUL
)

const appEnv = firstSetting // the first of settings

// settings are in the order of their places, which begin at firstSetting.
var settings = []setting{
	{"PASSENGER_APP_ENV", "environment", text},
	{"PASSENGER_APP_TYPE", "app_type", text},
	{"PASSENGER_STARTUP_FILE", "startup_file", text},
	{"PASSENGER_START_COMMAND", "app_start_command", text},
	{"PASSENGER_RUBY", "ruby", text},
	{"PASSENGER_PYTHON", "python", text},
	{"PASSENGER_NODEJS", "nodejs", text},
	{"PASSENGER_ENV_VARS", "envvars", variables},
	{"PASSENGER_LOAD_SHELL_ENVVARS", "load_shell_envvars", boolean},
	{"PASSENGER_SPAWN_METHOD", "spawn_method", text},
	{"PASSENGER_THREAD_COUNT", "threads", number},
	{"PASSENGER_MIN_PROCESSES", "min_instances", number},
	{"PASSENGER_MAX_PROCESSES", "max_instances", number},
	{"PASSENGER_FORCE_MAX_CONCURRENT_REQUESTS_PER_PROCESS", "force_max_concurrent_requests_per_process", number},
	{"PASSENGER_START_TIMEOUT", "start_timeout", number},
	{"PASSENGER_MAX_PRELOADER_IDLE_TIME", "max_preloader_idle_time", number},
	{"PASSENGER_MAX_REQUESTS", "max_requests", number},
	{"PASSENGER_MAX_REQUEST_TIME", "max_request_time", number},
	{"PASSENGER_MAX_REQUEST_QUEUE_SIZE", "max_request_queue_size", number},
	{"PASSENGER_MAX_REQUEST_QUEUE_TIME", "max_request_queue_time", number},
	{"PASSENGER_REQUEST_QUEUE_OVERFLOW_STATUS_CODE", "request_queue_overflow_status_code", number},
	{"PASSENGER_MEMORY_LIMIT", "memory_limit", number},
	{"PASSENGER_USER", "user", text},
	{"PASSENGER_GROUP", "group", text},
	{"PASSENGER_RESTART_DIR", "restart_dir", text},
	{"PASSENGER_APP_LOG_FILE", "app_log_file", text},
	{"PASSENGER_CUSTOM_ERROR_PAGE", "custom_error_page", text},
	{"PASSENGER_FRIENDLY_ERROR_PAGES", "friendly_error_pages", boolean},
	{"PASSENGER_STICKY_SESSIONS", "sticky_sessions", boolean},
	{"PASSENGER_STICKY_SESSIONS_COOKIE_NAME", "sticky_sessions_cookie_name", text},
	{"PASSENGER_STICKY_SESSIONS_COOKIE_ATTRIBUTES", "sticky_sessions_cookie_attributes", text},
}

// secureNames are all of them by their names without !~.
var secureNames = func() map[string]Name {
	names := map[string]Name{
		"FLAGS": flags, "REMOTE_ADDR": RemoteAddr, "REMOTE_PORT": RemotePort, "REMOTE_USER": RemoteUser,
		"PASSENGER_APP_GROUP_NAME": appGroupName, "PASSENGER_APP_ROOT": appRoot,
		"DOCUMENT_ROOT": documentRoot, "SCRIPT_NAME": scriptName,
	}
	for i, s := range settings {
		names[s.header] = firstSetting + Name(i)
	}
	return names
}()

const (
	maxSecureNames = 64 // more than there are
	longestSecure  = 64 // bytes of a name without !~
)

// Headers are the secure headers of one request. A client has one Headers for all
// its requests, which is set to zero before each. A nil *Headers is for clients
// that may send none.
type Headers struct {
	at    [maxSecureNames]uint8 // which of the fields it is, counted from 1; 0 for none
	flags uint8
}

// MaxAddr is the longest address as text.
const MaxAddr = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")

// Flags of Passenger's modules, as bits of what [Headers.Flagged] takes.
const (
	Dechunk    = 1 << iota // D: the answer is not to be chunked
	Buffer                 // B: the body is to be whole before the app gets it
	Secure                 // S: the client speaks HTTPS
	NoContinue             // C: the client was told to send its body
)

// Read finds the secure headers of r; h has none yet. Without a password they may
// be anywhere.
// With a password they are a block, as Passenger has it: it begins with a field !~
// that holds the password and ends with another field !~, and there are none
// outside and no others inside.
func (h *Headers) Read(r *http1.Request, password string) error {
	inside, blocks := false, 0
	for i := range r.Count() {
		name, ok := bytes.CutPrefix(r.Name(i), secureMark)
		switch {
		case !ok && inside:
			return badSecure("the field %q is within the secure headers", r.Name(i))
		case !ok:
			continue
		case len(name) > 0 && password != "" && !inside:
			return badSecure("the secure header %q is not within the block with the password", name)
		case len(name) > 0:
			if err := h.note(r, i, name); err != nil {
				return err
			}
		case password == "" || inside:
			inside = false
		case blocks > 0 || subtle.ConstantTimeCompare(r.Value(i), []byte(password)) == 0:
			return badSecure("the secure headers have a wrong password")
		default:
			inside = true
			blocks++
		}
	}
	return h.check(r)
}

var secureMark = []byte("!~")

func badSecure(format string, args ...any) error {
	return &http1.Error{Status: 400, Reason: fmt.Sprintf(format, args...)}
}

// note keeps where the secure header of a name is.
func (h *Headers) note(r *http1.Request, i int, name []byte) error {
	var upper [longestSecure]byte
	n, ok := Name(0), false
	if len(name) <= len(upper) {
		for j, c := range name {
			if c >= 'a' && c <= 'z' {
				c -= 'a' - 'A'
			}
			upper[j] = c
		}
		n, ok = secureNames[string(upper[:len(name)])]
	}
	switch {
	case !ok:
		return badSecure("unknown secure header %q", name)
	case h.at[n] != 0:
		return badSecure("the secure header %q comes twice", name)
	case len(r.Value(i)) > 0:
		h.at[n] = uint8(i + 1)
	}
	return nil
}

// check checks the values that count for this request only.
func (h *Headers) check(r *http1.Request) error {
	for _, c := range h.Value(r, flags) {
		i := strings.IndexByte("DBSC", c)
		if i < 0 {
			return badSecure("unknown flag %q", c)
		}
		h.flags |= 1 << i
	}
	if addr := h.Value(r, RemoteAddr); string(addr) == "unix:" { // nginx's word for a client without address
		h.at[RemoteAddr] = 0
	} else if !http1.Only(addr, "0123456789abcdefABCDEF.:") || len(addr) > MaxAddr {
		return badSecure("REMOTE_ADDR is not an address")
	}
	if port := h.Value(r, RemotePort); !http1.Only(port, "0123456789") || len(port) > 5 {
		return badSecure("REMOTE_PORT is not a port")
	}
	if h.flags&NoContinue != 0 {
		r.Continue = false
	}
	return nil
}

// Value is what a web server in front says of r in a field, nil if nothing.
func (h *Headers) Value(r *http1.Request, n Name) []byte {
	if h == nil || h.at[n] == 0 {
		return nil
	}
	return r.Value(int(h.at[n]) - 1)
}

// Flagged says that a web server in front set a flag.
func (h *Headers) Flagged(flag uint8) bool { return h != nil && h.flags&flag != 0 }

// AppendAddr appends the address of r's client: the one that a web server in front
// names, else addr, which is empty if it has none.
func (h *Headers) AppendAddr(b []byte, r *http1.Request, addr string) []byte {
	if v := h.Value(r, RemoteAddr); v != nil {
		return append(b, v...)
	}
	return append(b, addr...)
}

// AppendPort appends its port in the same way; 0 if it has none, or if the web
// server names the client without.
func (h *Headers) AppendPort(b []byte, r *http1.Request, port string) []byte {
	switch v := h.Value(r, RemotePort); {
	case v != nil:
		return append(b, v...)
	case port == "" || h.Value(r, RemoteAddr) != nil:
		return append(b, '0')
	}
	return append(b, port...)
}
