// Command passenger-proxy takes requests from clients and passes them to the
// processes of applications.
package main

import (
	"os"
	"runtime"
	"slices"

	"passenger/lib/cli"
)

type command struct {
	cli.Common
	Serve serveCommand `cmd:"" help:"Serve clients until SIGTERM, then drain."`
	Hold  holdCommand  `cmd:"" help:"Listen, then become a command that has the sockets for the proxies that it starts."`
	Check checkCommand `cmd:"" help:"Say all that would keep a proxy from serving with these flags, or as the service; fail if something would."`
}

// What becomes another command does so in the thread that the program began with:
// the kernel keeps some things by thread, as the signal at the parent's death,
// which is lost if another thread calls execve(2).
func init() {
	if slices.Contains(os.Args[1:], "hold") {
		runtime.LockOSThread()
	}
}

func main() {
	cli.Main("passenger-proxy", "Pass requests from clients to the processes of applications.", &command{})
}
