// Package diagnosis turns the symptoms of a start that failed into words: a
// category, a sentence on the cause, and advice.
//
// It has no I/O. An adapter's own word wins over what the spawner saw, and that
// over signs in what the app wrote.
package diagnosis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"passenger/lib/app"
	"passenger/lib/protocol"
	"passenger/lib/spawn/fork"
	"passenger/lib/spawn/gate"
	"passenger/lib/spawn/notify"
)

// Symptoms are what is known of a start that failed.
type Symptoms struct {
	Cause       error
	Kind        string
	ProcessType string   // of a side process, empty for one that serves
	Interpreter string   // empty for a generic app
	Output      []string // the last lines
	Exit        *protocol.Exit
	Phase       string         // in which it failed
	Forked      bool           // from a preloader
	Stack       bool           // it said where it hangs
	WaitsIn     string         // what a process that hangs waits for
	Left        int            // how many processes outlived it
	Report      *notify.Report // what the adapter says, nil if nothing
	Port        int            // that a generic app was given
	Listens     []int          // the ports that a generic app listens on instead
}

// Summaries of starts that ended because that was asked for.
const (
	SpawnerStops = "the spawner was told to stop meanwhile"
	StoppedByUs  = "it was stopped by us before it was ready"
)

// A Diagnosis is what to say of it.
type Diagnosis struct {
	Category protocol.Category
	Summary  string
	Advice   string
}

// Of finds the cause behind the symptoms. An adapter knows best; then
// what we saw ourselves; then what the app wrote.
func Of(s Symptoms) Diagnosis {
	if s.Report != nil {
		return Diagnosis{s.Report.Category, clause(s.Report.Summary), clause(s.Report.Advice)}
	}
	var timeout *TimeoutError
	var stopped *gate.Error
	var exit *ExitError
	var refused *fork.Error
	switch {
	case errors.As(s.Cause, &refused):
		return Diagnosis{protocol.CategorySystem, refused.Message, "the system is out of processes or memory; free it or raise the limit"}
	case errors.As(s.Cause, &timeout):
		return s.timedOut(timeout)
	case errors.As(s.Cause, &stopped):
		return s.notExecuted(stopped)
	case errors.As(s.Cause, &exit):
		return s.exited()
	case errors.Is(s.Cause, fork.ErrLost):
		return Diagnosis{protocol.CategorySystem, s.Cause.Error(), "what forks it may be busy, or out of memory; it goes on as before"}
	case errors.Is(s.Cause, context.Canceled):
		return Diagnosis{protocol.CategoryKilled, SpawnerStops, ""}
	}
	return s.notStarted()
}

// notStarted is for what went wrong before there was a process.
func (s Symptoms) notStarted() Diagnosis {
	var unknown *app.UnknownError
	switch {
	case errors.As(s.Cause, &unknown):
		return Diagnosis{protocol.CategoryConfig, s.Cause.Error(),
			"add one of these files, or set startup_file or app_start_command in Passengerfile.json; \"passenger-spawn detect\" shows what is looked for"}
	case errors.Is(s.Cause, fs.ErrPermission):
		return Diagnosis{protocol.CategoryPermission, s.Cause.Error(), "check the owner and mode of that path and of its parents"}
	case gate.IsExhaustion(s.Cause):
		return Diagnosis{protocol.CategorySystem, s.Cause.Error(), "the system is out of something; free it or raise the limit"}
	}
	return Diagnosis{protocol.CategoryConfig, s.Cause.Error(), "correct the settings; Passengerfile(5) describes them"}
}

// interpreterKey are the keys of Passengerfile.json that name interpreters.
var interpreterKey = map[string]string{
	protocol.TypeRack: "ruby", protocol.TypeWSGI: "python", protocol.TypeNode: "nodejs",
}

func (s Symptoms) notExecuted(e *gate.Error) Diagnosis {
	switch e.Category {
	case gate.CategoryCommand:
		return Diagnosis{protocol.CategoryInterpreter, e.Message,
			fmt.Sprintf("install %s, or set %s in Passengerfile.json to another", s.Interpreter, interpreterKey[s.Kind])}
	case gate.CategoryPermission:
		advice := cmp.Or(e.Advice, "check the owner and mode of that path and of its parents")
		return Diagnosis{protocol.CategoryPermission, e.Message, advice}
	case gate.CategoryConfig:
		return Diagnosis{protocol.CategoryConfig, e.Message, "correct the settings or that file; Passengerfile(5) describes them"}
	}
	return Diagnosis{protocol.CategorySystem, e.Message, ""}
}

func (s Symptoms) timedOut(e *TimeoutError) Diagnosis {
	d := Diagnosis{Category: protocol.CategoryTimeout}
	switch {
	case s.Phase == protocol.PhasePrepare || errors.Is(s.Cause, ErrUnseen):
		d.Summary = fmt.Sprintf("the app's directory could not be looked at within %v", e.Limit)
		d.Advice = "it may be on a file system that does not answer"
		return d
	case s.Phase == protocol.PhaseExec:
		d.Summary = fmt.Sprintf("the process did not get as far as its command within %v", e.Limit)
		d.Advice = "its directory may be on a file system that does not answer; "
	case s.Forked:
		d.Summary = fmt.Sprintf("the forked process was not ready within %v", e.Limit)
		d.Advice = "what hangs is a hook that runs after the fork, such as one that connects to a database; "
	case s.ProcessType != "":
		d.Summary = fmt.Sprintf("it did not say READY=1 within %v", e.Limit)
		d.Advice = "have it send that to $NOTIFY_SOCKET, or leave \"notify\" out of its settings; "
	case s.Kind == protocol.TypeNode:
		d.Summary = fmt.Sprintf("the app did not call listen() within %v", e.Limit)
		d.Advice = "a Node.js app becomes ready when an http.Server or net.Server of it listens, in its main thread or a cluster's worker; "
	case s.Kind == protocol.TypeGeneric && slices.Contains(s.Listens, s.Port):
		d.Category = protocol.CategoryPort
		d.Summary = fmt.Sprintf("the app listens on $PORT (%d), but not on 127.0.0.1, where it is reached; not ready within %v", s.Port, e.Limit)
		d.Advice = "have it listen on 127.0.0.1; ::1 or another address of the machine does not do"
		return d
	case s.Kind == protocol.TypeGeneric && len(s.Listens) > 0:
		d.Category = protocol.CategoryPort
		d.Summary = fmt.Sprintf("the app listens on port %s and not on $PORT (%d); not ready within %v", Numbers(s.Listens), s.Port, e.Limit)
		d.Advice = "take the port from the environment variable PORT, and the address 127.0.0.1"
		return d
	case s.Kind == protocol.TypeGeneric:
		d.Summary = fmt.Sprintf("the app did not listen on $PORT (%d) or on its inherited socket within %v", s.Port, e.Limit)
		d.Advice = "make the command listen on 127.0.0.1:$PORT, or on the socket that it inherits as descriptor 3 (LISTEN_FDS); "
	default:
		d.Summary = fmt.Sprintf("the app was still loading after %v", e.Limit)
	}
	if s.WaitsIn != "" {
		d.Summary += "; it waits in " + s.WaitsIn
	}
	d.Advice += "raise start_timeout if it only needs longer; " + s.last()
	return d
}

// exited is for a process that ended by itself before it was ready.
func (s Symptoms) exited() Diagnosis {
	if s.Exit != nil && s.Exit.ByUs {
		return Diagnosis{protocol.CategoryKilled, StoppedByUs, ""}
	}
	if d, ok := readOutputFor(s); ok && (s.Exit == nil || s.Exit.Signal == "") {
		return d
	}
	if s.Exit == nil {
		return Diagnosis{protocol.CategoryExit, "it was gone before it was ready", ""}
	}
	switch {
	case s.Exit.OutOfMemory:
		return Diagnosis{protocol.CategoryKilled, s.Exit.Cause, "raise memory_max, or have the app load less; " + s.last()}
	case s.Exit.Signal == "SIGKILL" && !s.Exit.ByUs:
		return Diagnosis{protocol.CategoryKilled, "killed by SIGKILL before it was ready",
			"perhaps the kernel was out of memory (see its log), or an administrator killed it"}
	case slices.Contains(crashes, s.Exit.Signal):
		return Diagnosis{protocol.CategoryKilled, s.Exit.Cause + " before it was ready",
			"native code crashed: an extension that the app loads, or the interpreter itself; " + s.last()}
	case s.Exit.Signal != "":
		return Diagnosis{protocol.CategoryKilled, s.Exit.Cause + " before it was ready", s.last()}
	case s.Exit.Status == 0 && s.Left > 0:
		return Diagnosis{protocol.CategoryExit, "it went into the background: the process that was started exited with status 0 and left others behind",
			"tell the app to stay in the foreground; the spawner is what puts it in the background"}
	case s.Exit.Status == 0 && s.Kind == protocol.TypeNode:
		return Diagnosis{protocol.CategoryExit, "exited with status 0 before it was ready",
			"the app ended without serving: nothing called listen(), and nothing was left to wait for"}
	case s.Exit.Status == 0:
		return Diagnosis{protocol.CategoryExit, "exited with status 0 before it was ready",
			"the app ended without serving; it has to stay in the foreground and listen"}
	}
	return Diagnosis{protocol.CategoryExit, s.Exit.Cause + " before it was ready", s.last()}
}

// crashes are the signals that a process gets for an error of its own.
var crashes = []string{"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGSYS"}

// last says where the app's own words are.
func (s Symptoms) last() string {
	if s.Stack {
		return "where it hung is below"
	}
	if len(s.Output) == 0 {
		return "it wrote nothing"
	}
	return "what it wrote last is below"
}

// Numbers lists ports for people.
func Numbers(ns []int) string {
	var s []string
	for _, n := range ns {
		s = append(s, strconv.Itoa(n))
	}
	return strings.Join(s, ", ")
}

// names are words that keep their capital in the middle of a sentence.
var names = []string{"Ruby", "Python", "Node.js", "Bundler", "Rack", "Django"}

// clause makes of an adapter's sentence what follows a colon: without a full
// stop, and its first letter small unless the word is a name or a class.
func clause(s string) string {
	s = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "."))
	word, rest, _ := strings.Cut(s, " ")
	if rest == "" || word[0] >= utf8.RuneSelf || slices.Contains(names, word) || len(word) > 1 && strings.ToLower(word[1:]) != word[1:] {
		return s
	}
	return strings.ToLower(word[:1]) + s[1:]
}
