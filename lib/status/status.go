// Package status knows what runs in a state directory: it asks the spawner, the
// pool and the proxy, reads the directory where one of them is silent, and
// renders the outcome for people and for programs.
//
// It only reads. [Gather] asks, [Snapshot.Status] merges the answers, and
// [Status.Text] renders; only the first does I/O.
package status

import (
	"slices"
	"time"

	"passenger/lib/protocol"
)

// A Status is the document that passenger-status prints as JSON;
// passenger-status(1) describes each field for readers without Go.
type Status struct {
	// Version is protocol.Version of the program that wrote the document.
	Version  int       `json:"version"`
	At       time.Time `json:"at"`
	StateDir string    `json:"state_dir"`

	// OK says that every part answered.
	OK    bool   `json:"ok"`
	Parts []Part `json:"parts"`

	// Warnings are sentences about what the parts disagree on and about settings
	// that were refused.
	Warnings []string `json:"warnings"`

	// MaxPoolSize is how many processes there may be in all, nil if the pool
	// did not answer.
	MaxPoolSize *int `json:"max_pool_size"`

	// MaxPoolSizeReason says what set it, empty if a flag did or it is the default.
	MaxPoolSizeReason string `json:"max_pool_size_reason,omitempty"`

	// ProcessCount is how many processes run, of all apps.
	ProcessCount int `json:"process_count"`

	// Memory is what the parts and all apps take together, nil unless it is
	// known of each.
	Memory *int64 `json:"memory_bytes"`

	// Connections is how many clients the proxy has, nil if it did not answer.
	Connections *int `json:"connections"`

	// RoutesVersion is the version of the route table that the proxy uses, or
	// that of routes.json if it did not answer.
	RoutesVersion uint64 `json:"routes_version"`

	Apps []App `json:"apps"`
}

// A PartState says whether a part answered.
type PartState string

const (
	Up     PartState = "up"     // it answered
	Silent PartState = "silent" // it runs, but did not answer in time or not what was asked
	Down   PartState = "down"   // it does not run
)

// A Part is one of the three daemons.
type Part struct {
	// Name is "spawn", "pool" or "proxy".
	Name  string    `json:"name"`
	State PartState `json:"state"`

	// PID is 0 if no daemon runs there, or if its lock does not name it.
	PID     int      `json:"pid"`
	Release string   `json:"release,omitempty"`
	Uptime  float64  `json:"uptime_seconds,omitempty"`
	Listen  []string `json:"listen,omitempty"`

	// SwitchesUsers says that this spawner runs apps as other users.
	SwitchesUsers bool `json:"switches_users,omitempty"`

	// Usage is what the daemon itself costs, nil if that is not known.
	Usage *protocol.Usage `json:"usage"`

	// Error is why there is no answer, empty if Up.
	Error string `json:"error,omitempty"`

	denied bool // we may not ask it
}

// An App is one app with its processes. Pointers are nil where the part that
// knows did not answer.
type App struct {
	Name string `json:"name"`

	// State is one of protocol's app states, "unknown" if the pool did not
	// answer.
	State       string   `json:"state"`
	Type        string   `json:"app_type,omitempty"`
	AppRoot     string   `json:"app_root,omitempty"`
	Environment string   `json:"environment,omitempty"`
	Generation  int      `json:"generation"`
	ServerNames []string `json:"server_names,omitempty"`
	BaseURI     string   `json:"base_uri,omitempty"`

	MinInstances *int `json:"min_instances,omitempty"`
	MaxInstances int  `json:"max_instances,omitempty"`

	// Paused is one of protocol's words for it, empty unless the app is paused.
	Paused string `json:"paused,omitempty"`

	// Instances is how many processes an order asked for, nil without one.
	Instances *int `json:"instances,omitempty"`

	Queued     *int    `json:"queued"`
	OldestWait float64 `json:"oldest_wait_seconds"`

	// Requests and Rejected are counts of the proxy that answered.
	Requests *uint64 `json:"requests"`
	Rejected *uint64 `json:"rejected"`

	// Upgraded is how many upgraded connections that proxy holds.
	Upgraded int `json:"upgraded,omitempty"`

	Failures  int                  `json:"failures"`
	NextTry   time.Time            `json:"next_try,omitzero"`
	LastError *protocol.SpawnError `json:"last_error,omitempty"`

	// Restart is the one under way or the last one.
	Restart *protocol.Restart `json:"restart,omitempty"`

	Processes []Process `json:"processes"`

	// Side are the side processes, by their types.
	Side []Side `json:"side_processes,omitempty"`

	// Preloaders are the processes that the others are forked from, nil if the
	// spawner did not answer.
	Preloaders []protocol.Preloader `json:"preloaders"`

	// Memory is what the processes and preloaders take together, nil unless it
	// is known of each.
	Memory *int64 `json:"memory_bytes"`

	// Exited are processes that ended lately, the last one first.
	Exited []Process `json:"exited"`
}

// unknownState is the state of an app while the pool does not answer.
const unknownState = "unknown"

// A Process is one process of an app.
type Process struct {
	ID         string         `json:"id"`
	PID        int            `json:"pid"`
	Generation int            `json:"generation"`
	State      protocol.State `json:"state"`

	// ProcessType is that of a side process, empty for one that serves.
	ProcessType string `json:"process_type,omitempty"`

	Address      string   `json:"address,omitempty"`
	DataProtocol string   `json:"protocol,omitempty"`
	Concurrency  int      `json:"concurrency"`
	User         string   `json:"user,omitempty"`
	Command      []string `json:"command,omitempty"`

	InFlight  *int      `json:"in_flight"`
	Processed *uint64   `json:"processed"`
	LastUsed  time.Time `json:"last_used,omitzero"`

	StartedAt time.Time       `json:"started_at"`
	Uptime    float64         `json:"uptime_seconds"`
	Adopted   bool            `json:"adopted"`
	Usage     *protocol.Usage `json:"usage"`

	// CPUPercent is the share of one processor since the status before; see
	// [Status.Since]. It is nil if there was none.
	CPUPercent *float64 `json:"cpu_percent,omitempty"`

	Exit *protocol.Exit `json:"exit,omitempty"`
}

// Denied says that a part does not answer the user who runs this program.
func (s *Status) Denied() bool {
	return slices.ContainsFunc(s.Parts, func(p Part) bool { return p.denied })
}

// Only keeps the app of that name and reports whether there is one.
func (s *Status) Only(app string) bool {
	s.Apps = slices.DeleteFunc(s.Apps, func(a App) bool { return a.Name != app })
	return len(s.Apps) > 0
}

// AppNames returns the names of the apps, in order.
func (s *Status) AppNames() []string {
	var names []string
	for _, a := range s.Apps {
		names = append(names, a.Name)
	}
	return names
}

// Running says that something runs: a part, or a process of an app.
func (s *Status) Running() bool {
	return slices.ContainsFunc(s.Parts, func(p Part) bool { return p.State != Down }) ||
		slices.ContainsFunc(s.Apps, func(a App) bool { return len(a.all()) > 0 })
}

// Since computes each process's share of a processor from an earlier status.
func (s *Status) Since(earlier Status) {
	before := map[string]*protocol.Usage{}
	for _, a := range earlier.Apps {
		for _, p := range a.all() {
			before[p.ID] = p.Usage
		}
	}
	passed := s.At.Sub(earlier.At).Seconds()
	for _, a := range s.Apps {
		for _, p := range a.all() {
			if was := before[p.ID]; was != nil && p.Usage != nil && passed > 0 {
				percent := max(0, 100*(p.Usage.CPU-was.CPU)/passed)
				p.CPUPercent = &percent
			}
		}
	}
}
