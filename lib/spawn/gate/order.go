package gate

import (
	"errors"
	"slices"
	"syscall"

	"passenger/lib/app"
	"passenger/lib/proc"
	"passenger/lib/spawn/environ"
	"passenger/lib/spawn/survey"
)

// An Order is what the spawner tells a process at its gate: what the process
// changes of itself, and what it adds to its environment, before it becomes the
// command. It does not go over the command line, which every user may read.
type Order struct {
	Change proc.Change     `json:"change"`
	Env    environ.Sources `json:"env"`

	// IgnoreQuit has SIGQUIT ignored until the command handles it.
	IgnoreQuit bool `json:"ignore_quit,omitempty"`

	// Survey has the process look at an app's directory, answer and end.
	Survey *survey.Question `json:"survey,omitempty"`

	// Manifest has the process say what the code files of a release are, and end.
	Manifest *survey.ManifestQuestion `json:"manifest,omitempty"`

	// Expected has the process look whether that holds, and say so in one byte. If
	// it holds, the order to become the command comes next.
	Expected *survey.Expectation `json:"expected,omitempty"`

	// LogFile has the process open that file, hand it over and end.
	LogFile string `json:"log_file,omitempty"`
}

// maxOrder is the longest order and the longest answer, in bytes.
const maxOrder = 1 << 20

// An Answer is what the process says: what it added to its environment, or what
// kept it from its command.
type Answer struct {
	environ.Added
	Category string `json:"category,omitempty"`
	Error    string `json:"error,omitempty"`
	Advice   string `json:"advice,omitempty"`

	Findings *survey.Findings  `json:"findings,omitempty"` // of a survey
	Unknown  *app.UnknownError `json:"unknown,omitempty"`  // why a survey found no app
	Manifest *survey.Manifest  `json:"manifest,omitempty"`
}

// Args is the command line of a process at its gate that is to become the
// command.
func Args(command []string) []string {
	return append([]string{"passenger-spawn", "exec", "--gate", "--"}, command...)
}

// Categories of an [Error].
const (
	CategoryCommand    = "command" // the command does not exist
	CategoryPermission = "permission"
	CategoryConfig     = "config" // a file that the settings name
	CategoryOther      = "other"
)

// An Error says why a process at its gate could not carry out its order.
type Error struct {
	Category string // one of the constants
	Message  string
	Advice   string // empty for the usual advice of the category
}

func (e *Error) Error() string { return e.Message }

// IsExhaustion says whether err is that the system is out of something.
func IsExhaustion(err error) bool {
	return slices.ContainsFunc([]error{syscall.ENOSPC, syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN, syscall.ENOMEM},
		func(e error) bool { return errors.Is(err, e) })
}

// The process's one byte in answer to an expectation.
const (
	confirmed = 'y'
	changed   = 'n'
)
