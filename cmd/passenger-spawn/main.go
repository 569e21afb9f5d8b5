// Command passenger-spawn starts application processes.
package main

import (
	"os"
	"runtime"
	"slices"

	"passenger/lib/cli"
	"passenger/lib/spawn/gate"
)

type command struct {
	cli.Common

	Serve    serve         `cmd:"" help:"Run the daemon that starts processes for passenger-pool."`
	Check    check         `cmd:"" help:"Say all that would keep a spawner from starting apps, as the service; fail if something would."`
	Run      run           `cmd:"" help:"Start one process in the foreground; print its record as one JSON line when it is ready."`
	Detect   detect        `cmd:"" help:"Say what the app is and how it would be started, as text or as JSON."`
	Stop     stopCommand   `cmd:"" help:"Stop all processes, each with its grace; the spawner runs on."`
	Notify   notifyCommand `cmd:"" hidden:"" help:"Tell the service manager something of passenger."`
	Describe describe      `cmd:"" hidden:"" help:"Write the settings of an app for a spawner that switches users."`
	Kill     kill          `cmd:"" hidden:"" help:"Kill the processes whose records are in the state directory; the spawner is gone."`
	Unknown  unknown       `cmd:"" hidden:"" help:"Say what may have been meant by a word that passenger does not know."`
	Words    words         `cmd:"" passthrough:"" hidden:"" help:"Read the command line of the script passenger."`
	Exec     execChange    `cmd:"" help:"Change user, limits and environment, then become a command."`
}

// What becomes another command does so in the thread that the program began with:
// the kernel keeps some things by thread, as the signal at the parent's death,
// which is lost if another thread calls execve(2).
func init() {
	if slices.Contains(os.Args[1:], "exec") {
		runtime.LockOSThread()
	}
}

func main() {
	if gate.Reached(os.Args) {
		_ = gate.Pass(os.Args) // the spawner was told why
		os.Exit(cli.Failed)
	}
	cli.Main("passenger-spawn", "Starts application processes.", &command{})
}
