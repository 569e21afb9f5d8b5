package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// mistakes are flags and commands that these programs do not have, and that who
// comes from Phusion Passenger, nginx or PM2 is likely to type. By program, or "*"
// for all: what to type instead.
var mistakes = map[string]map[string]string{
	"*": {
		"--daemonize": `run it under an init system; passenger-systemd(7) and passenger-init(7) say how`,
		"--daemon":    `run it under an init system; passenger-systemd(7) and passenger-init(7) say how`,
		"-d":          `run it under an init system; passenger-systemd(7) and passenger-init(7) say how`,
		"--config":    `settings are flags and environment variables; those of an app are in Passengerfile.json`,
		"-c":          `settings are flags and environment variables; those of an app are in Passengerfile.json`,
		"-V":          `use --version`,
		"version":     `use --version`,
	},
	"passenger-status": {
		"--json": `use --format=json`, "--text": `use --format=text`, "--xml": `use --show=xml`, "-j": `use --format=json`,
		"--requests": `use "passenger-status requests"`, "--memory": `use "passenger-status memory"`,
		"--force-colors": `leave it out; there are colours at a terminal unless $NO_COLOR is set`, "--no-color": `set $NO_COLOR`,
		"--follow": `use --watch`, "-f": `use --watch`, "-w": `use --watch`,
		"-d": `use "passenger-status health"`,
	},
	"passenger-pool": {
		"start": `use "passenger-pool add DIR"; "passenger start" serves one app in the foreground`, "stop": `use "passenger-pool remove APP", or "scale APP 0"`,
		"delete": `use "passenger-pool remove APP"`, "ls": `use "passenger-pool list"`, "status": `use passenger-status`, "describe": `use "passenger-pool show APP"`,
		"logs": `use "passenger-status logs APP"`, "monit": `use "passenger-status --watch"`, "kill": `use "systemctl stop passenger.target", or "passenger stop"`,
		"restart-app": `use "passenger-pool restart APP"`, "save": `apps in /etc/passenger/apps.d are there after a boot`, "startup": `passenger-systemd(7) says how`,
		"--json": `use --json behind the command`,
	},
	"passenger-proxy": {
		"-s": `use "passenger-pool reopen-logs" for logs, SIGHUP for certificates, SIGUSR2 for a new version, SIGTERM to stop`,
		"-t": `use "passenger-proxy check"`, "-T": `use "passenger-proxy check"`, "-p": `use --listen :PORT`, "--port": `use --listen :PORT`,
		"--ssl": `use --listen tls:ADDRESS`, "--tls": `use --listen tls:ADDRESS`, "--cert": `use --certificate`,
		"--ssl-certificate": `use --certificate`, "--ssl-certificate-key": `use --key`, "reload": `send SIGHUP, which reads certificates again`,
		"start": `use "passenger-proxy serve"`,
	},
	"passenger-spawn": {
		"start": `use "passenger-spawn run" for one process, "serve" for the daemon`, "--user": `use "passenger-spawn exec --user=NAME"`,
	},
}

// few commands are named one by one.
const few = 3

// instead is what to add to the name of an unknown flag or command: what takes
// its place, empty if nothing is known to.
func (p *parser) instead(word string, wrong *kong.ParseError) string {
	for _, program := range []string{p.program, "*"} {
		if use := mistakes[program][word]; use != "" && p.meant == nil {
			return ": " + use
		}
	}
	switch at := p.commandsWith(word); {
	case len(at) > few && wrong.Context.Selected() == nil:
		return " before the command; it stands behind it"
	case len(at) > 0:
		return fmt.Sprintf(", which is of %q", p.program+" "+strings.Join(at, ", "))
	}
	if p.meant != nil {
		return p.meant(word, p.known(word, wrong))
	}
	return ""
}

// commandsWith are the commands that have a flag, which may be of one letter.
func (p *parser) commandsWith(flag string) (names []string) {
	is := func(f *kong.Flag) bool { return flag == "--"+f.Name || f.Short != 0 && flag == "-"+string(f.Short) }
	for _, n := range commandsOf(p.Model.Node) {
		if slices.ContainsFunc(flagsOf(n), is) {
			names = append(names, n.Name)
		}
	}
	return names
}

// known are the commands that could stand in the place of word, or the flags: those
// of all commands where none is chosen.
func (p *parser) known(word string, wrong *kong.ParseError) []string {
	flags := wrong.Context.Flags()
	var list []string
	for _, n := range commandsOf(p.Model.Node) {
		list = append(list, n.Name)
		if wrong.Context.Selected() == nil {
			flags = append(flags, flagsOf(n)...)
		}
	}
	if !strings.HasPrefix(word, "-") {
		return list
	}
	list = []string{"--help", "--version"}
	for _, f := range flags {
		list = append(list, "--"+f.Name)
	}
	return list
}
