// Package wrapper reads the command line of passenger(1), which is a shell script,
// and tells the script by variables what was asked of it and with which flags it
// runs each daemon.
package wrapper

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"passenger/lib/app"
	"passenger/lib/cli"
	"passenger/lib/spelling"
)

type commandLine struct {
	Start   start   `cmd:"" help:"Serve apps in the foreground, with the spawner, the pool and the proxy."`
	Stop    stop    `cmd:"" help:"Stop what \"passenger start\" runs. A second stop does so at once."`
	Restart restart `cmd:"" help:"Replace the apps' processes one by one, losing no request."`
	Upgrade upgrade `cmd:"" help:"Have the daemons replaced by the programs that are installed now, losing no request."`
	Status  status  `cmd:"" passthrough:"" help:"Run passenger-status, with its flags; -p or -S says of which server."`
	Logs    logs    `cmd:"" help:"Show what the apps' processes wrote last."`
	Version version `cmd:"" help:"Print the version."`

	Flag versionFlag `name:"version" short:"v" help:"Print the version."`
}

// Read prints, for the words of the command line, the shell text that sets the
// script's variables, and returns the exit status.
func Read(args []string) int {
	return cli.Script{
		Name: "passenger", Description: "Serve apps in the foreground, with the spawner, the pool and the proxy.",
		Command: &commandLine{}, Meant: meant,
	}.Read(args)
}

// commandsElsewhere are those of Phusion Passenger and PM2, with ours.
var commandsElsewhere = map[string]string{
	"serve": "start", "run": "start", "reload": "restart", "delete": "stop", "kill": "stop", "ls": "status", "list": "status", "show": "status",
	"monit": "status --watch", "log": "logs",
}

// meant tells what may have been meant by a flag or command that passenger does
// not have.
func meant(word string, known []string) string {
	if strings.HasPrefix(word, "-") {
		return app.UnknownFlag(word, known)
	}
	if use := commandsElsewhere[word]; use != "" {
		return fmt.Sprintf(": use \"passenger %s\"", use)
	}
	return spelling.DidYouMean(word, known)
}

func wrong(format string, args ...any) error {
	return &cli.Error{Err: fmt.Errorf(format, args...), Status: cli.Usage, Hint: `run "passenger --help"`}
}

// A place says which "passenger start" is meant.
type place struct {
	Port     string `short:"p" placeholder:"PORT" help:"Where passenger listens. Default: 3000."`
	Socket   string `short:"S" placeholder:"PATH" help:"A unix socket, where it listens instead."`
	StateDir string `placeholder:"DIR" help:"State directory. Default: one for each port."`
}

func (p place) check() error {
	if n, err := strconv.Atoi(p.Port); p.Port != "" && (err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != p.Port) {
		return wrong("%q is not a port, which is a number from 1 to 65535", p.Port)
	}
	return nil
}

func (p place) print(command string) {
	fmt.Print(cli.Assign("command", command), cli.Assign("port", p.Port), cli.Assign("socket", p.Socket), cli.Assign("state_dir", p.StateDir))
}

// noEmpty refuses flags that are given but empty: a shell's unset variable.
func noEmpty(parsed *kong.Context) error {
	for _, at := range parsed.Path {
		if at.Flag != nil && fmt.Sprint(at.Flag.Target.Interface()) == "" {
			return wrong("--%s needs a value", at.Flag.Name)
		}
	}
	return nil
}

type stop struct{ place }

func (s *stop) Run(parsed *kong.Context) error { return s.only("stop", parsed) }

type restart struct{ place }

func (r *restart) Run(parsed *kong.Context) error { return r.only("restart", parsed) }

type upgrade struct{ place }

func (u *upgrade) Run(parsed *kong.Context) error { return u.only("upgrade", parsed) }

func (p place) only(command string, parsed *kong.Context) error {
	if err := noEmpty(parsed); err != nil {
		return err
	}
	if err := p.check(); err != nil {
		return err
	}
	p.print(command)
	return nil
}

type logs struct {
	place
	App    string `arg:"" optional:"" help:"The app's name. Default: all apps."`
	Follow bool   `short:"f" help:"Go on with what is written from now on, until interrupted."`
	Lines  int    `short:"n" default:"20" placeholder:"N" help:"How many lines to show at first (${default})."`
}

func (l *logs) Run(parsed *kong.Context) error {
	if err := l.only("logs", parsed); err != nil {
		return err
	}
	words := []string{"logs", fmt.Sprintf("--lines=%d", l.Lines)}
	if l.Follow {
		words = append(words, "--follow")
	}
	if l.App != "" {
		words = append(words, "--", l.App)
	}
	fmt.Print(cli.AssignWords("words", words))
	return nil
}

type version struct{}

func (version) Run() error {
	place{}.print("version")
	return nil
}

// A versionFlag is the command of its name, wherever it stands.
type versionFlag bool

func (versionFlag) BeforeReset(p *kong.Kong) error {
	place{}.print("version")
	p.Exit(cli.Done)
	return nil
}

// A status takes the flags of passenger-status, and the port or socket.
type status struct {
	Words []string `arg:"" optional:"" name:"argument" help:"The arguments of passenger-status."`
}

func (s *status) Run() error {
	var p place
	var rest []string
	for words := s.Words; len(words) > 0; words = words[1:] {
		flag, value, joined := cutFlag(words[0])
		var target *string
		switch flag {
		case "-p", "--port":
			target = &p.Port
		case "-S", "--socket":
			target = &p.Socket
		default:
			rest = append(rest, words[0])
			continue
		}
		if !joined && len(words) > 1 {
			words = words[1:]
			value = words[0]
		}
		if value == "" {
			return wrong("%s needs a value", flag)
		}
		*target = value
	}
	if err := p.check(); err != nil {
		return err
	}
	p.print("status")
	fmt.Print(cli.AssignWords("words", rest))
	return nil
}

// cutFlag divides "--port=1" and "-p1".
func cutFlag(word string) (flag, value string, joined bool) {
	if strings.HasPrefix(word, "--") {
		return strings.Cut(word, "=")
	}
	if len(word) > 2 && slices.Contains([]string{"-p", "-S"}, word[:2]) {
		return word[:2], word[2:], true
	}
	return word, "", false
}
