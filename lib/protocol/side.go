package protocol

import "time"

// A SideProcess is how to run processes of an app that listen on nothing, beside
// those that serve: a queue's workers, a consumer of messages. Zero values mean
// the default that the comment names; package app fills them in.
type SideProcess struct {
	// Command is run by sh -c 'exec …' in the app's directory. Default: the line
	// of the process's type in the Procfile of the release.
	Command string `json:"command,omitempty"`

	// Count is how many there are to be. Default: 1; 0 is a value of its own.
	Count *int `json:"count,omitempty"`

	// QuietSignal has a process that is to go take no new work, empty for none.
	// StopSignal follows after QuietTime, in seconds, and has it end. Default: none,
	// 0 and TERM.
	QuietSignal string  `json:"quiet_signal,omitempty"`
	QuietTime   float64 `json:"quiet_time,omitempty"`
	StopSignal  string  `json:"stop_signal,omitempty"`

	// StopGrace is how long it has from then to SIGKILL, in seconds. Default: the
	// app's.
	StopGrace float64 `json:"stop_grace,omitempty"`

	// ReadyAfter is how long a process has to live to count as ready, in seconds,
	// unless it says READY=1 before. Default: 3.
	ReadyAfter float64 `json:"ready_after,omitempty"`

	// Notify says that it says READY=1, and is not ready before.
	Notify bool `json:"notify,omitempty"`

	// Required says that a deploy fails unless one of the new release becomes
	// ready.
	Required bool `json:"required,omitempty"`

	// Exclusive says that those of two generations must not run beside one
	// another: the old ones end first.
	Exclusive bool `json:"exclusive,omitempty"`

	// MemoryLimit is over how much memory, in MB (2^20 bytes) of proportional set
	// size, a process is replaced. 0 means no limit.
	MemoryLimit int `json:"memory_limit,omitempty"`
}

// Side are the side processes of one type of an app, as the pool sees them.
type Side struct {
	Type string `json:"process_type"`

	// Count is how many there are to be.
	Count int `json:"count"`

	// Generation is that of new ones. It becomes the app's once a deploy has come
	// so far.
	Generation int `json:"generation"`

	// State is AppReady, AppStarting, AppBackoff or AppIdle, as an app's.
	State string `json:"state"`

	Processes []Process `json:"processes"`

	// Failures is how many starts failed in a row, NextTry when the next one is
	// made, and LastError why the last one failed; see [App].
	Failures  int         `json:"failures"`
	NextTry   time.Time   `json:"next_try,omitzero"`
	LastError *SpawnError `json:"last_error,omitempty"`
}
