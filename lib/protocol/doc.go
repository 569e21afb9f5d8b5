// Package protocol defines what is said over the control sockets and written
// in the state directory.
//
// It is a leaf: it imports nothing of this project, so that every part can
// import it. Types here have no behaviour beyond describing themselves.
//
// The control protocol is HTTP/1.1 with JSON bodies over unix sockets, so that
// `curl --unix-socket` speaks it. Paths begin with /v1/. Every request and
// every reply carries the headers
//
//	Passenger-Protocol: 1
//	Passenger-Program: passenger-pool/0.1.0 pid=4121
//
// A reply with a 4xx or 5xx status has an [ErrorReply] as its body. Either
// side ignores fields it does not know, so a field may be added within a
// version; a field that changes meaning needs a new [Version].
//
// A watch (?watch=1) answers one JSON object per line: the whole state, then
// the whole state again, with a higher version, whenever it changed. A slow
// reader gets the newest state, never a backlog. A watch of the spawner's list
// with changes=1 tells what changed instead; see [ProcessList]. An empty line is a keep-alive,
// sent at least every [WatchKeepAlive].
//
// Durations are seconds with a fraction, in fields named …_seconds; times are
// RFC 3339; sizes are bytes, in fields named …_bytes. passenger-protocol(7) is
// this text for readers without Go.
package protocol

import "time"

// Version is the protocol that this code speaks.
//
//   - 1: processes, apps, routes, reports, restart, requests
const Version = 1

// Names of the headers that every request and reply carries.
const (
	HeaderProtocol = "Passenger-Protocol"
	HeaderProgram  = "Passenger-Program"
)

const (
	// MaxBody is the largest request or reply body, in bytes. A larger one is
	// refused with [CodeTooLarge].
	MaxBody = 16 << 20

	// WatchKeepAlive is the longest silence in a watch. A reader that hears
	// nothing for three times as long takes the other side for dead.
	WatchKeepAlive = 5 * time.Second
)

// Paths of the calls. {id} and {name} stand for a process or proxy ID and an
// app's name.
const (
	PathCalls      = "/v1"
	PathInfo       = "/v1/info"
	PathHealth     = "/v1/health"
	PathMetrics    = "/metrics"
	PathProcesses  = "/v1/processes"  // spawner
	PathPreloaders = "/v1/preloaders" // spawner
	PathApps       = "/v1/apps"       // pool, proxy
	PathReload     = "/v1/reload"     // pool
	PathRoutes     = "/v1/routes"     // pool
	PathProxies    = "/v1/proxies"    // pool
	PathRequests   = "/v1/requests"   // proxy
	PathDrain      = "/v1/drain"      // proxy
	PathHost       = "/v1/host"       // spawner
	PathLogs       = "/v1/logs"       // spawner, proxy
)
