package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
	"passenger/lib/visible"
)

const (
	// backtracePatience is how long the spawner may take for one answer; a
	// process has two seconds of it.
	backtracePatience = 10 * time.Second

	// backtracesAtOnce bounds how many processes are asked at the same time.
	backtracesAtOnce = 8
)

// A Backtrace is what one process does, or why it does not tell.
type Backtrace struct {
	ID  string `json:"id"`
	App string `json:"app"`
	protocol.Backtrace
	Error string `json:"error,omitempty"`

	cause error
}

// ErrNoProcess says that no process is meant by what was asked for.
var ErrNoProcess = errors.New("no app or process")

// Backtraces asks the spawner what the processes of an app do, or the one with
// a pid or an ID, or all if nothing is wanted. The error is that of the spawner, or of the first process if
// none told.
func (c Caller) Backtraces(ctx context.Context, dir statedir.Dir, wanted string) ([]Backtrace, error) {
	client := control.NewClient(dir.Socket(statedir.Spawn), c.Program, c.Release)
	asking, cancel := context.WithTimeout(ctx, backtracePatience)
	defer cancel()
	var list protocol.ProcessList
	if err := client.Call(asking, "GET", protocol.PathProcesses, nil, &list); err != nil {
		return nil, err
	}
	meant := meantBy(list.Processes, wanted)
	if len(meant) == 0 {
		return nil, ErrNoProcess
	}
	found := make([]Backtrace, len(meant))
	room := make(chan struct{}, backtracesAtOnce)
	var wg sync.WaitGroup
	for i, p := range meant {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			found[i] = backtrace(ctx, client, p)
		})
	}
	wg.Wait()
	if !slices.ContainsFunc(found, func(b Backtrace) bool { return b.cause == nil }) {
		return nil, found[0].cause
	}
	return found, nil
}

// meantBy returns the processes that run of an app; of a number, that with the
// pid, unless an app has it for its name; all if nothing is wanted.
func meantBy(all []protocol.Process, wanted string) []protocol.Process {
	running := func(is func(protocol.Process) bool) (found []protocol.Process) {
		for _, p := range all {
			if p.State != protocol.Exited && is(p) {
				found = append(found, p)
			}
		}
		return found
	}
	if found := running(func(p protocol.Process) bool { return wanted == "" || p.App == wanted }); len(found) > 0 {
		return found
	}
	return running(func(p protocol.Process) bool { return p.ID == wanted || strconv.Itoa(p.PID) == wanted })
}

func backtrace(ctx context.Context, client *control.Client, p protocol.Process) Backtrace {
	ctx, cancel := context.WithTimeoutCause(ctx, backtracePatience, fmt.Errorf("no answer of the spawner within %v", backtracePatience))
	defer cancel()
	b := Backtrace{ID: p.ID, App: p.App, Backtrace: protocol.Backtrace{PID: p.PID, Stack: []string{}}}
	if b.cause = client.Call(ctx, "POST", protocol.PathProcesses+"/"+p.ID+"/backtrace", nil, &b.Backtrace); b.cause != nil {
		b.Error = b.cause.Error()
	}
	return b
}

// Text renders what a process does for people.
func (b Backtrace) Text() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s, process %d", visible.Line(b.App), b.PID)
	if b.WaitsIn != "" {
		fmt.Fprintf(&s, ", waits in %s", visible.Line(b.WaitsIn))
	}
	s.WriteString(":\n")
	switch {
	case b.Error != "":
		fmt.Fprintf(&s, "    %s\n", visible.Line(b.Error))
	case len(b.Stack) == 0:
		s.WriteString("    it did not say within two seconds, as Ruby cannot within a call of a C library\n")
	}
	for _, line := range b.Stack {
		fmt.Fprintf(&s, "    %s\n", visible.Line(line))
	}
	return s.String()
}
