package spawn

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
)

// symptoms are what is known of a spawn that failed.
type symptoms struct {
	cause       error
	kind        string
	interpreter string   // empty for a generic app
	output      []string // the last lines
	exit        *protocol.Exit
	phase       string  // in which it failed
	unseen      bool    // the app's directory could not be looked at in time
	forked      bool    // from a preloader
	stack       bool    // it said where it hangs
	waitsIn     string  // what a process that hangs waits for
	left        int     // how many processes outlived it
	report      *report // what the adapter says, nil if nothing
	port        int     // that a generic app was given
	listens     []int   // the ports that a generic app listens on instead
}

// Summaries of starts that ended because that was asked for.
const (
	spawnerStops = "the spawner was told to stop meanwhile"
	stoppedByUs  = "it was stopped by us before it was ready"
)

// A diagnosis is what to say of it.
type diagnosis struct {
	category protocol.Category
	summary  string
	advice   string
}

// diagnose finds the cause behind the symptoms. An adapter knows best; then
// what we saw ourselves; then what the app wrote.
func diagnose(s symptoms) diagnosis {
	if s.report != nil {
		return diagnosis{s.report.Category, clause(s.report.Summary), clause(s.report.Advice)}
	}
	var timeout *timeoutError
	var gate *gateError
	var exit *exitError
	var fork *forkError
	switch {
	case errors.As(s.cause, &fork):
		return diagnosis{protocol.CategorySystem, fork.message, "the system is out of processes or memory; free it or raise the limit"}
	case errors.As(s.cause, &timeout):
		return s.timedOut(timeout)
	case errors.As(s.cause, &gate):
		return s.notExecuted(gate)
	case errors.As(s.cause, &exit):
		return s.exited()
	case errors.Is(s.cause, errPreloaderLost):
		return diagnosis{protocol.CategorySystem, s.cause.Error(), "what forks it may be busy, or out of memory; it goes on as before"}
	case errors.Is(s.cause, context.Canceled):
		return diagnosis{protocol.CategoryKilled, spawnerStops, ""}
	}
	return s.notStarted()
}

// notStarted is for what went wrong before there was a process.
func (s symptoms) notStarted() diagnosis {
	var unknown *app.UnknownError
	switch {
	case errors.As(s.cause, &unknown):
		return diagnosis{protocol.CategoryConfig, s.cause.Error(),
			"add one of these files, or set startup_file or app_start_command in Passengerfile.json; \"passenger-spawn detect\" shows what is looked for"}
	case errors.Is(s.cause, fs.ErrPermission):
		return diagnosis{protocol.CategoryPermission, s.cause.Error(), "check the owner and mode of that path and of its parents"}
	case isExhaustion(s.cause):
		return diagnosis{protocol.CategorySystem, s.cause.Error(), "the system is out of something; free it or raise the limit"}
	}
	return diagnosis{protocol.CategoryConfig, s.cause.Error(), "correct the settings; Passengerfile(5) describes them"}
}

// interpreterKey are the keys of Passengerfile.json that name interpreters.
var interpreterKey = map[string]string{
	protocol.TypeRack: "ruby", protocol.TypeWSGI: "python", protocol.TypeNode: "nodejs",
}

func (s symptoms) notExecuted(e *gateError) diagnosis {
	switch e.category {
	case gateCommand:
		return diagnosis{protocol.CategoryInterpreter, e.message,
			fmt.Sprintf("install %s, or set %s in Passengerfile.json to another", s.interpreter, interpreterKey[s.kind])}
	case gatePermission:
		advice := cmp.Or(e.advice, "check the owner and mode of that path and of its parents")
		return diagnosis{protocol.CategoryPermission, e.message, advice}
	case gateConfig:
		return diagnosis{protocol.CategoryConfig, e.message, "correct the settings or that file; Passengerfile(5) describes them"}
	}
	return diagnosis{protocol.CategorySystem, e.message, ""}
}

func (s symptoms) timedOut(e *timeoutError) diagnosis {
	d := diagnosis{category: protocol.CategoryTimeout}
	switch {
	case s.phase == protocol.PhasePrepare || s.unseen:
		d.summary = fmt.Sprintf("the app's directory could not be looked at within %v", e.limit)
		d.advice = "it may be on a file system that does not answer"
		return d
	case s.phase == protocol.PhaseExec:
		d.summary = fmt.Sprintf("the process did not get as far as its command within %v", e.limit)
		d.advice = "its directory may be on a file system that does not answer; "
	case s.forked:
		d.summary = fmt.Sprintf("the forked process was not ready within %v", e.limit)
		d.advice = "what hangs is a hook that runs after the fork, such as one that connects to a database; "
	case s.kind == protocol.TypeNode:
		d.summary = fmt.Sprintf("the app did not call listen() within %v", e.limit)
		d.advice = "a Node.js app becomes ready when an http.Server or net.Server of it listens; "
	case s.kind == protocol.TypeGeneric && len(s.listens) > 0:
		d.category = protocol.CategoryPort
		d.summary = fmt.Sprintf("the app listens on port %s and not on $PORT (%d); not ready within %v", numbers(s.listens), s.port, e.limit)
		d.advice = "take the port from the environment variable PORT, and the address 127.0.0.1"
		return d
	case s.kind == protocol.TypeGeneric:
		d.summary = fmt.Sprintf("the app did not listen on $PORT (%d) or on its inherited socket within %v", s.port, e.limit)
		d.advice = "make the command listen on 127.0.0.1:$PORT, or on the socket that it inherits as descriptor 3 (LISTEN_FDS); "
	default:
		d.summary = fmt.Sprintf("the app was still loading after %v", e.limit)
	}
	if s.waitsIn != "" {
		d.summary += "; it waits in " + s.waitsIn
	}
	d.advice += "raise start_timeout if it only needs longer; " + s.last()
	return d
}

// exited is for a process that ended by itself before it was ready.
func (s symptoms) exited() diagnosis {
	if s.exit != nil && s.exit.ByUs {
		return diagnosis{protocol.CategoryKilled, stoppedByUs, ""}
	}
	if d, ok := readOutputFor(s); ok && (s.exit == nil || s.exit.Signal == "") {
		return d
	}
	if s.exit == nil {
		return diagnosis{protocol.CategoryExit, "it was gone before it was ready", ""}
	}
	switch {
	case s.exit.OutOfMemory:
		return diagnosis{protocol.CategoryKilled, s.exit.Cause, "raise memory_max, or have the app load less; " + s.last()}
	case s.exit.Signal == "SIGKILL" && !s.exit.ByUs:
		return diagnosis{protocol.CategoryKilled, "killed by SIGKILL before it was ready",
			"perhaps the kernel was out of memory (see its log), or somebody killed it"}
	case slices.Contains(crashes, s.exit.Signal):
		return diagnosis{protocol.CategoryKilled, s.exit.Cause + " before it was ready",
			"native code crashed: an extension that the app loads, or the interpreter itself; " + s.last()}
	case s.exit.Signal != "":
		return diagnosis{protocol.CategoryKilled, s.exit.Cause + " before it was ready", s.last()}
	case s.exit.Status == 0 && s.left > 0:
		return diagnosis{protocol.CategoryExit, "it went into the background: the process that was started exited with status 0 and left others behind",
			"tell the app to stay in the foreground; the spawner is what puts it in the background"}
	case s.exit.Status == 0 && s.kind == protocol.TypeNode:
		return diagnosis{protocol.CategoryExit, "exited with status 0 before it was ready",
			"the app ended without serving: nothing called listen(), and nothing was left to wait for"}
	case s.exit.Status == 0:
		return diagnosis{protocol.CategoryExit, "exited with status 0 before it was ready",
			"the app ended without serving; it has to stay in the foreground and listen"}
	}
	return diagnosis{protocol.CategoryExit, s.exit.Cause + " before it was ready", s.last()}
}

// crashes are the signals that a process gets for an error of its own.
var crashes = []string{"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGSYS"}

// last says where the app's own words are.
func (s symptoms) last() string {
	if s.stack {
		return "where it hung is below"
	}
	if len(s.output) == 0 {
		return "it wrote nothing"
	}
	return "what it wrote last is below"
}

func numbers(ns []int) string {
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
