package proc

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/protocol"
)

// ExitOf describes how a process ended by its wait status.
func ExitOf(status unix.WaitStatus, at time.Time) protocol.Exit {
	e := protocol.Exit{At: at, Status: -1}
	switch {
	case status.Exited():
		e.Status = status.ExitStatus()
		e.Cause = fmt.Sprintf("exited with status %d", e.Status)
	case status.Signaled():
		e.Signal = unix.SignalName(status.Signal())
		if e.Signal == "" {
			e.Signal = fmt.Sprintf("signal %d", int(status.Signal()))
		}
		e.Cause = "killed by " + e.Signal
		if status.CoreDump() {
			e.Cause += " (core dumped)"
		}
	default:
		e.Unknown = true
		e.Cause = fmt.Sprintf("ended with wait status %#x", int(status))
	}
	return e
}

// UnknownExit is the exit of a process whose status could not be read, such as
// one that was adopted.
func UnknownExit(at time.Time) protocol.Exit {
	return protocol.Exit{At: at, Status: -1, Unknown: true, Cause: "unknown (adopted)"}
}
