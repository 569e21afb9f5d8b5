package protocol

import "time"

// A State is where a process is in its life.
type State string

const (
	Starting State = "starting" // started, not ready yet
	Ready    State = "ready"    // accepts requests
	Draining State = "draining" // gets no new sessions; the present ones may end
	Stopping State = "stopping" // was sent SIGTERM
	Exited   State = "exited"   // is gone and reaped
)

// Protocols that a process speaks on its socket.
const (
	ProtocolHTTP    = "http"    // HTTP/1.1 with keep-alive
	ProtocolSession = "session" // SCGI header block in, HTTP/1.1 out; see passenger-protocol(7)
)

// SessionApart is the form of the session protocol in which names stand apart
// from values. A process that knows it also knows the one before, in pairs.
const SessionApart = 2

// SessionAhead is the form that is marked as one of a proxy that may send the next
// request ahead, and that confirms a takeover. A process that knows it also knows
// the others.
const SessionAhead = 3

// VariableWork is the name of a session's variable that no client can send. With
// it the adapter answers 200 without a body itself, in the place of the app:
// with [WorkDue] after work out of band, with [WorkNone] at once, so that the
// caller knows that a thread is free.
const (
	VariableWork = "PASSENGER_OOB_WORK"
	WorkDue      = "1"
	WorkNone     = "0"
)

// A Process describes one application process: the reply to a spawn, a line of
// the spawner's list, and the content of processes/ID/record.json.
type Process struct {
	// Version is [Version] of the program that wrote the record.
	Version int `json:"version"`

	// ID names the process and its directory. It is 4 to 16 characters of
	// [a-z0-9] and never used twice.
	ID string `json:"id"`

	// Slot tells the processes of an app apart that run at the same time: a number
	// from 1, the lowest that was free at its start, 0 in a preloader. Metrics have it in the place of
	// the ID, so that there is no new series with each process. 0 if its spawner
	// knew no slots.
	Slot int `json:"slot,omitempty"`

	App        string `json:"app"`
	Generation int    `json:"generation"`
	State      State  `json:"state"`

	// ProcessType is that of a side process, empty for one that serves.
	ProcessType string `json:"process_type,omitempty"`

	// PID is the process's number, 0 until it was started. It leads a process
	// group of the same number.
	PID int `json:"pid"`

	// StartTime is field 22 of /proc/PID/stat, in clock ticks since boot. With
	// BootID it tells this process from a later one of the same number.
	StartTime uint64 `json:"start_time"`
	BootID    string `json:"boot_id"`

	// Address is where the process accepts: "unix:PATH" or "tcp:HOST:PORT".
	// It is empty until the process is ready, and of a side process.
	Address string `json:"address,omitempty"`

	// DataProtocol is ProtocolHTTP or ProtocolSession.
	DataProtocol string `json:"protocol,omitempty"`

	// SessionForm is the newest form of the session protocol that the process
	// says it knows: SessionApart, SessionAhead, or 0 for pairs alone.
	SessionForm int `json:"session_form,omitempty"`

	// Concurrency is how many sessions the process can take at once, 0 for no
	// limit.
	Concurrency int `json:"concurrency"`

	// Type is the app's type: rack, wsgi, node or generic.
	Type string `json:"type"`

	// AppRoot is the app's directory with symlinks resolved, pinned for the
	// generation.
	AppRoot string `json:"app_root"`

	Root

	// Environment is the app's, such as "production".
	Environment string `json:"environment,omitempty"`

	// LogFile takes what the process writes, empty if that goes where the
	// spawner's own output goes.
	LogFile string `json:"log_file,omitempty"`

	// Command is what was executed, for people. Secrets are redacted.
	Command []string `json:"command"`

	// User is the name of the user it runs as.
	User string `json:"user"`

	// GID is the number of the group it runs as, nil if an older spawner did not
	// note it.
	GID *int `json:"gid,omitempty"`

	// Preloader is the ID of the preloader that it was forked from, empty if it
	// was started directly.
	Preloader string `json:"preloader,omitempty"`

	// NotifySocket is the name that the process reports READY=1 to, so that a
	// spawner that adopts the process can listen there again.
	NotifySocket string `json:"notify_socket,omitempty"`

	// StopGrace is how long the process has between SIGTERM and SIGKILL.
	StopGrace float64 `json:"stop_grace_seconds"`

	// QuietSignal, QuietTime and StopSignal are how a side process is stopped; see
	// [SideProcess]. They are empty for one that serves.
	QuietSignal string  `json:"quiet_signal,omitempty"`
	QuietTime   float64 `json:"quiet_seconds,omitempty"`
	StopSignal  string  `json:"stop_signal,omitempty"`

	StartedAt time.Time `json:"started_at"`

	// ReadyAt is the zero time until the process is ready.
	ReadyAt time.Time `json:"ready_at,omitzero"`

	// SpawnTook is the time from the request to start the process until it was
	// ready, in seconds, 0 until then.
	SpawnTook float64 `json:"spawn_seconds,omitempty"`

	// Adopted says that a later spawner took the process over. Its exit is
	// seen, but not its status.
	Adopted bool `json:"adopted,omitempty"`

	// ReleaseChanged are paths of code files, below AppRoot, that were not those
	// that the generation began with when this process loaded them; at most 20.
	// Only a spawner that watches releases fills it.
	ReleaseChanged []string `json:"release_changed,omitempty"`

	// Unrecorded says why this record could not be written to the state
	// directory, empty if it is there. A spawner that comes meanwhile does not
	// adopt the process, but ends it.
	Unrecorded string `json:"unrecorded,omitempty"`

	// Exit is set once the process is gone.
	Exit *Exit `json:"exit,omitempty"`

	// Usage is set in replies to ?usage=1 only.
	Usage *Usage `json:"usage,omitempty"`
}

// An Exit says how a process ended.
type Exit struct {
	At time.Time `json:"at"`

	// Cause is one sentence for people: "exited with status 1", "killed by
	// SIGSEGV", "killed by us: did not stop within 30s".
	Cause string `json:"cause"`

	// Status is the exit status, -1 if a signal ended the process or if the
	// status is unknown.
	Status int `json:"status"`

	// Signal is the name of the signal that ended the process, such as
	// "SIGKILL", else empty.
	Signal string `json:"signal,omitempty"`

	// ByUs says that we asked the process to go.
	ByUs bool `json:"by_us,omitempty"`

	// Orphaned says that its spawner died while it started, and the next one,
	// which cannot know whether it would get ready, ended it: no fault of the
	// app's.
	Orphaned bool `json:"orphaned,omitempty"`

	// OutOfMemory says that the kernel killed it for want of memory, by the
	// count of its cgroup. Cause names the limit that struck.
	OutOfMemory bool `json:"out_of_memory,omitempty"`

	// Unknown says that the spawner could not read the status: the process was
	// adopted.
	Unknown bool `json:"unknown,omitempty"`

	// Output is the last lines that a process wrote which ended by itself, at
	// most 40, without secrets.
	Output []string `json:"output,omitempty"`
}

// Usage is what a process and its group cost at the moment of asking.
type Usage struct {
	// PSS is the proportional set size of the process group in bytes, -1 if
	// it may not be read.
	PSS int64 `json:"pss_bytes"`
	RSS int64 `json:"rss_bytes"`

	// CPU is user plus system time of the process group in seconds.
	CPU float64 `json:"cpu_seconds"`

	Threads int `json:"threads"`
}

// A SpawnRequest is the body of POST /v1/processes.
type SpawnRequest struct {
	// ID is chosen by the caller, so that it finds the process again if it
	// dies before the reply. An ID in use is refused with [CodeConflict].
	ID         string `json:"id"`
	App        string `json:"app"`
	Generation int    `json:"generation"`

	// ProcessType is that of a side process, empty for one that is to serve.
	ProcessType string `json:"process_type,omitempty"`

	// Config is how to run the app. A spawner that switches users refuses a
	// request that has one and reads its own app files instead.
	Config *AppConfig `json:"config,omitempty"`
}

// A ProcessList is the reply to GET /v1/processes and each line of its watch.
type ProcessList struct {
	// Version rises with every change; it starts anew with each spawner.
	Version uint64 `json:"version"`

	// Processes holds those that run, and for a minute at least those that
	// exited, of one app the newest 50, in order of start.
	Processes []Process `json:"processes"`

	// Base is set in a line of a watch with ?changes=1 that tells changes only: it
	// is the Version of the line before, and Processes holds those that are new or
	// changed since. 0 says that the list is whole.
	Base uint64 `json:"base,omitempty"`

	// Gone are the IDs of processes that were in the line before and are in the
	// list no more, if it has a Base.
	Gone []string `json:"gone,omitempty"`

	// Strays are processes that those have started and left, and that run on. Set
	// in replies to ?usage=1 only.
	Strays []Stray `json:"strays,omitempty"`
}

// A Stray is a process that fell to the spawner: its parent has ended.
type Stray struct {
	PID     int    `json:"pid"`
	User    string `json:"user"`
	Command string `json:"command"` // the beginning of it

	// Process is the ID of the process that it descends from, empty if that is
	// not known. It ends with that process.
	Process string `json:"process,omitempty"`

	// App is that process's; else one that runs as the same user, empty if none
	// does.
	App string `json:"app,omitempty"`
}

// A Preloader is a process that has loaded an app and forks its processes.
type Preloader struct {
	ID         string `json:"id"`
	App        string `json:"app"`
	Generation int    `json:"generation"`

	// State is Starting, Ready or Stopping.
	State State `json:"state"`

	PID       int       `json:"pid"`
	StartedAt time.Time `json:"started_at"`

	// ReadyAt is the zero time until it can fork.
	ReadyAt time.Time `json:"ready_at,omitzero"`

	// Forked is how many processes it has made; LastFork when the last one,
	// the zero time if none.
	Forked   int       `json:"forked"`
	LastFork time.Time `json:"last_fork,omitzero"`

	// Warnings are what makes it unsafe to fork, as threads and connections
	// that were there before, a sentence each.
	Warnings []string `json:"warnings,omitempty"`

	// ReforkedFrom is the ID of the process that was promoted, empty if the
	// preloader loaded the app itself.
	ReforkedFrom string `json:"reforked_from,omitempty"`

	// Usage is set in replies to ?usage=1 only.
	Usage *Usage `json:"usage,omitempty"`
}

// A PreloaderList is the reply to GET /v1/preloaders.
type PreloaderList struct {
	Preloaders []Preloader `json:"preloaders"`
}

// A StopRequest is the body of DELETE /v1/processes/ID, which may be missing.
type StopRequest struct {
	// Reason becomes part of the exit's cause: "it takes 600 MB".
	Reason string `json:"reason,omitempty"`

	// Dump has the process say first where it is, for one that is stuck. The
	// stacks go to its log.
	Dump bool `json:"dump,omitempty"`
}

// A Backtrace is the reply to POST /v1/processes/ID/backtrace: what a process
// does, which goes on.
type Backtrace struct {
	PID int `json:"pid"`

	// WaitsIn says what its main thread waits for in the kernel, empty if that is
	// not known or it computes.
	WaitsIn string `json:"waits_in,omitempty"`

	// Stack are the lines of its stacks in its own language; empty if it did not
	// say within two seconds, as Ruby cannot within a call of a C library.
	Stack []string `json:"stack"`
}

// A PromoteRequest is the body of POST /v1/preloaders: it makes a process the
// origin of its generation's preloader.
type PromoteRequest struct {
	Process string `json:"process"` // its ID
}

// An Output is the reply to GET /v1/processes/ID/output: the last lines that a
// process wrote, at most 200.
type Output struct {
	Lines []OutputLine `json:"lines"`
}

// An OutputLine is one line that a process wrote, at most 4 KiB of it.
type OutputLine struct {
	At     time.Time `json:"at"`
	Stream string    `json:"stream"` // "stdout" or "stderr"
	Text   string    `json:"text"`
}
