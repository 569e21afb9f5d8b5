package protocol

import "time"

// Names of events. Those that Phusion Passenger has hooks for have its names.
const (
	EventAttached     = "attached_process" // a process serves
	EventDetached     = "detached_process" // one that served is gone
	EventSpawnFailed  = "spawn_failed"     // one did not become ready
	EventDeployFailed = "deploy_failed"    // a restart failed or was taken back
	EventQueueFull    = "queue_full_error" // requests were sent away
)

// Events are all of them.
var Events = []string{EventAttached, EventDetached, EventSpawnFailed, EventDeployFailed, EventQueueFull}

// An Event is what a hook of passenger-pool gets on its stdin.
type Event struct {
	Event string    `json:"event"`
	At    time.Time `json:"at"`
	App   string    `json:"app"`

	// AppRoot is the app's directory, as in its settings.
	AppRoot string `json:"app_root"`

	// Process is set for EventAttached and EventDetached.
	Process *Process `json:"process,omitempty"`

	// Error is set for EventSpawnFailed and EventDeployFailed.
	Error *SpawnError `json:"error,omitempty"`

	// Rejected is how many requests were sent away since the event before, for
	// EventQueueFull.
	Rejected uint64 `json:"rejected,omitempty"`
}
