package protocol

import "time"

// A Category says what kind of thing kept a process from getting ready. The
// list is closed and append-only.
type Category string

const (
	CategoryConfig      Category = "config"      // the settings or the directory are wrong; nothing was started
	CategoryInterpreter Category = "interpreter" // the interpreter or command does not exist or cannot be executed
	CategoryPermission  Category = "permission"  // a file or directory may not be read or entered
	CategoryDependency  Category = "dependency"  // a gem, module or package is missing
	CategorySyntax      Category = "syntax"      // the app's code does not parse
	CategoryApp         Category = "app"         // the app raised an error while loading
	CategoryExit        Category = "exit"        // it exited before it was ready
	CategoryKilled      Category = "killed"      // a signal ended it before it was ready
	CategoryTimeout     Category = "timeout"     // it was not ready in time
	CategoryPort        Category = "port"        // its port is taken, or it listens elsewhere
	CategorySystem      Category = "system"      // the system refused us: limits, memory, disk
	CategoryHealth      Category = "health"      // it started, and did not pass its health check
	CategoryErrors      Category = "errors"      // it served, with too many errors
	CategoryInternal    Category = "internal"    // a bug of ours
)

// A SpawnError says why a process did not become ready. One record serves the
// JSON API, the terminal and the HTML page.
type SpawnError struct {
	Category Category `json:"category"`

	// Summary is one sentence that names the cause.
	Summary string `json:"summary"`

	// Advice is what to do about it, one sentence or a few; empty if we know
	// nothing that helps.
	Advice string `json:"advice,omitempty"`

	App        string    `json:"app"`
	ProcessID  string    `json:"process_id,omitempty"`
	Generation int       `json:"generation,omitempty"`
	At         time.Time `json:"at"`

	// Phases in order; the last one is the one that failed.
	Phases []Phase `json:"phases"`

	// Output is the last lines that the app wrote, at most 200.
	Output []string `json:"output"`

	// WaitsIn says what a process that was not ready in time waits for in the
	// kernel, such as "connect(2) to 10.0.0.1:5432"; empty if that is not known.
	WaitsIn string `json:"waits_in,omitempty"`

	// Stack is where such a process was, in the words of its language.
	Stack []string `json:"stack,omitempty"`

	// Exit is set if the process ended by itself.
	Exit *Exit `json:"exit,omitempty"`

	// Command, AppRoot, User and Environment say what was run. Values of
	// secrets in the environment are replaced by "[redacted]".
	Command     []string          `json:"command,omitempty"`
	AppRoot     string            `json:"app_root,omitempty"`
	User        string            `json:"user,omitempty"`
	Environment map[string]string `json:"environment,omitempty"`

	// UID is the number of that user, nil if the start failed before it was
	// known.
	UID *int `json:"uid,omitempty"`
}

// Error returns the summary.
func (e *SpawnError) Error() string { return e.Summary }

// Names of the phases of a spawn.
const (
	PhasePrepare = "prepare" // check the app, make directory, sockets and FIFO
	PhasePreload = "preload" // start the preloader and let it load the app, if there is none yet
	PhaseExec    = "exec"    // start the process and become the interpreter or command
	PhaseFork    = "fork"    // let the preloader fork the process
	PhaseLoad    = "load"    // the app loads, until it is ready
	PhaseCheck   = "check"   // it is warmed up and asked for health_check_path
)

// A Phase is one step of a spawn.
type Phase struct {
	Name    string  `json:"name"`
	Took    float64 `json:"took_seconds"`
	Failed  bool    `json:"failed,omitempty"`
	Comment string  `json:"comment,omitempty"`
}
