// Command passenger-pool keeps the right number of processes of each app
// running, and tells the proxies where they are.
package main

import "passenger/lib/cli"

const program = "passenger-pool"

type command struct {
	cli.Common
	Serve      serveCommand      `cmd:"" help:"Keep apps running until SIGTERM, which leaves their processes running."`
	Check      checkCommand      `cmd:"" help:"Say all that is wrong with settings, without starting anything; fail if something is."`
	Add        addCommand        `cmd:"" help:"Add an app to the pool that runs, or change its settings."`
	Import     importCommand     `cmd:"" help:"Make settings of those of another server, and tell what has no equal."`
	Remove     removeCommand     `cmd:"" help:"Remove an app, and wait until its processes are gone."`
	Show       showCommand       `cmd:"" help:"Print the settings of an app that are in effect, and where each comes from."`
	List       listCommand       `cmd:"" help:"Print the names of the apps, one a line."`
	Restart    restartCommand    `cmd:"" help:"Replace the processes of an app by new ones."`
	Set        setCommand        `cmd:"" help:"Change settings of an app that was added."`
	Scale      scaleCommand      `cmd:"" help:"Run so many processes of an app, whatever the demand."`
	Detach     detachCommand     `cmd:"" help:"Drain one process and stop it; it is replaced if it is needed."`
	Pause      pauseCommand      `cmd:"" help:"Keep requests from an app: they wait, or get a maintenance page."`
	Resume     resumeCommand     `cmd:"" help:"End a pause."`
	Reload     reloadCommand     `cmd:"" help:"Read all settings again, and tell which are refused."`
	ReopenLogs reopenLogsCommand `cmd:"" help:"Have the log files of apps and requests opened anew, after they were rotated."`
	Watch      watchCommand      `cmd:"" help:"Restart apps whenever their files change, for who develops them."`

	Wait waitCommand `cmd:"" help:"Wait until an app serves; exit with status 4 if it does not."`

	Selftest selftestCommand `cmd:"" help:"Make requests of an app while something is done to the server; fail if one is lost."`
}

func main() {
	cli.Main(program, "Keep apps running: as many processes of each as are needed.", &command{})
}
