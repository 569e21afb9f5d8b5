package protocol

import "time"

// A Restart is the replacement of an app's processes by a new generation.
type Restart struct {
	Generation int `json:"generation"`

	// State is RestartRunning or RestartWatching while it is under way, else
	// how it ended: RestartDone, RestartFailed or RestartRolledBack, which both
	// leave the old generation serving where there is one. The pool does not try
	// that generation again: the next restart makes another.
	State string `json:"state"`

	// Share is that of the clients that a canary gets, 0 for another restart.
	Share float64 `json:"share,omitempty"`

	// Mode is "rolling", "blocking", or "canary" while it gets a share of the
	// clients. Cause is what asked for it: "command", "settings", "restart.txt",
	// "new directory" or "pool restarted".
	Mode  string `json:"mode"`
	Cause string `json:"cause"`

	BeganAt time.Time `json:"began_at"`

	// EndedAt is the zero time while it is under way; WatchedUntil while it is
	// not watched.
	EndedAt      time.Time `json:"ended_at,omitzero"`
	WatchedUntil time.Time `json:"watched_until,omitzero"`

	// Error is why it failed or was taken back.
	Error *SpawnError `json:"error,omitempty"`
}

// States of a restart.
const (
	RestartRunning    = "running"
	RestartWatching   = "watching" // the new generation serves on trial; its death or too many errors bring the old one back
	RestartDone       = "done"
	RestartFailed     = "failed"
	RestartRolledBack = "rolled-back"
)

// A RestartRequest is the body of POST /v1/apps/NAME/restart.
type RestartRequest struct {
	// Mode is "rolling" (default) or "blocking": stop the old processes first.
	Mode string `json:"mode,omitempty"`

	// Canary has the new generation get this share of the clients first, over 0 and
	// under 1, for CanaryFor, in seconds; 0 means 10 minutes. With CanarySticky a client
	// stays with its generation meanwhile, by a cookie. 0 means no canary.
	Canary       float64 `json:"canary,omitempty"`
	CanaryFor    float64 `json:"canary_seconds,omitempty"`
	CanarySticky bool    `json:"canary_sticky,omitempty"`

	// WatchErrors takes the place of the app's watch_errors for this restart.
	WatchErrors *float64 `json:"watch_errors,omitempty"`

	// Wait asks for the outcome: the reply comes when the new generation
	// serves and the old one is gone, or the restart failed.
	Wait bool `json:"wait,omitempty"`

	// Timeout bounds Wait. 0 means 10 minutes.
	Timeout float64 `json:"timeout_seconds,omitempty"`
}

// A RestartReply answers a RestartRequest.
type RestartReply struct {
	App        string `json:"app"`
	Generation int    `json:"generation"`

	// Done is false if the caller did not wait.
	Done bool `json:"done"`
}

// A CanaryRequest is the body of POST /v1/apps/NAME/canary.
type CanaryRequest struct {
	// Promote has the app restart to the canary's generation; else the canary ends.
	Promote bool `json:"promote"`
}
