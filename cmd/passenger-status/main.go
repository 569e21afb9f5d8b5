// Command passenger-status shows what runs in a state directory, what waits
// and what it costs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"passenger/lib/cli"
	"passenger/lib/spelling"
	"passenger/lib/statedir"
	"passenger/lib/status"
)

const program = "passenger-status"

type command struct {
	cli.Common
	Format string `enum:"default,text,json" default:"default" placeholder:"FORMAT" help:"What to print: text or json. Default: text; of events, json."`
	Watch  bool   `help:"Show it again and again until interrupted."`
	As     string `name:"show" placeholder:"DOCUMENT" help:"A document as Phusion Passenger prints it: xml, requests, backtraces; or pool, json."`
	JSON   bool   `name:"json" hidden:""`

	Patience time.Duration `env:"PASSENGER_STATUS_PATIENCE" default:"900ms" placeholder:"DURATION" help:"How long each daemon may take to answer (${default})."`
	Interval time.Duration `default:"1s" placeholder:"DURATION" help:"Pause between two looks of --watch (${default})."`

	Show       showCommand       `cmd:"" default:"withargs" help:"Show all apps, or one. It is done without the word too."`
	Requests   requestsCommand   `cmd:"" help:"Show the requests in flight."`
	Backtraces backtracesCommand `cmd:"" help:"Ask the processes of an app, or one, what they do; they go on."`
	Memory     memoryCommand     `cmd:"" help:"Show what takes the machine's memory."`
	Errors     errorsCommand     `cmd:"" help:"Show starts and deploys that failed lately, and exits."`
	Health     healthCommand     `cmd:"" help:"Judge what runs, with the exit status of a monitoring plug-in."`
	Logs       logsCommand       `cmd:"" help:"Show what an app's processes wrote last."`
	Events     eventsCommand     `cmd:"" help:"Show what happened, as lines of JSON."`
	Replay     replayCommand     `cmd:"" help:"Show the last minutes that the daemons recorded, also when none runs any more."`
	Bundle     bundleCommand     `cmd:"" help:"Write what a bug report needs to one tar, without secrets; say first what that is."`
	Serve      serveCommand      `cmd:"" help:"Serve metrics, the JSON document and a dashboard over HTTP, to read only."`
	Token      tokenCommand      `cmd:"" help:"Print the token that serve asks for; make it if there is none."`
}

type showCommand struct {
	App string `arg:"" optional:"" help:"Show only this app."`
}

// caller asks the daemons in our name.
var caller = status.Caller{Program: program, Release: cli.Release}

// AfterApply refuses the flag that other programs have for --format=json.
func (c *command) AfterApply() error {
	if c.JSON {
		return errors.New("unknown flag --json; say --format=json")
	}
	if c.Patience <= 0 {
		return fmt.Errorf("--patience is %v; it must be more than nothing", c.Patience)
	}
	caller.Patience = c.Patience
	return nil
}

func main() {
	cli.Main(program, "Show what runs, what waits and what it costs.", &command{})
}

// Run prints the status once, or until ctx ends. With --watch only the first
// look can fail because nothing runs: a later one shows that it stopped.
func (*showCommand) Run(ctx context.Context, c *command) error {
	if c.Interval < shortestInterval || c.Interval > longestInterval {
		return &cli.Error{Err: fmt.Errorf("--interval is %v; it must be from %v to %v", c.Interval, shortestInterval, longestInterval), Status: cli.Usage}
	}
	dir, err := c.dir()
	if err != nil {
		return err
	}
	if c.As != "" && c.As != "pool" && c.As != "json" {
		return c.showAs(ctx, dir)
	}
	st, err := c.look(ctx, dir)
	if err != nil {
		return err
	}
	if !st.Running() {
		return notThere(fmt.Sprintf("nothing is running in %q", dir.Path()))
	}
	if !c.Watch {
		if err := c.print(st); err != nil {
			return err
		}
		return unanswered(st)
	}
	return c.watch(ctx, dir, st)
}

// dir is the directory that was named, else the one in which something runs.
func (c *command) dir() (statedir.Dir, error) {
	if c.StateDir != "" {
		return statedir.At(c.StateDir), nil
	}
	found := status.Find()
	if len(found) == 0 {
		return statedir.Dir{}, notThere(fmt.Sprintf("nothing is running in %q or beside it", statedir.Default()))
	}
	return theOne(found, "are in use")
}

// theOne is the only directory of those that were found. What they have in common
// is said of several.
func theOne(found []string, common string) (statedir.Dir, error) {
	if len(found) == 1 {
		return statedir.At(found[0]), nil
	}
	return statedir.Dir{}, &cli.Error{
		Err:    fmt.Errorf("%d state directories %s", len(found), common),
		Status: cli.Usage,
		Hint:   "choose one with --state-dir:",
		Body:   "  " + strings.Join(found, "\n  ") + "\n",
	}
}

func notThere(message string) error {
	return &cli.Error{
		Err: errors.New(message), Status: cli.NotThere,
		Hint: `start an app with "passenger start", or pass the --state-dir of what runs`,
	}
}

// gather asks all parts.
func gather(ctx context.Context, dir statedir.Dir) (status.Snapshot, error) {
	snapshot, err := caller.Gather(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return snapshot, notThere(fmt.Sprintf("nothing is running in %q: no such directory", dir.Path()))
	}
	if errors.Is(err, fs.ErrPermission) {
		return snapshot, cli.Hint(fmt.Errorf("cannot look: %w", err), "%s", cli.AccessHint(dir.Path()))
	}
	if err != nil {
		return snapshot, fmt.Errorf("cannot look: %w", err)
	}
	return snapshot, nil
}

// ask gathers what runs. It is an error that nothing does.
func (c *command) ask(ctx context.Context, dir statedir.Dir) (status.Snapshot, status.Status, error) {
	snapshot, err := gather(ctx, dir)
	if err != nil {
		return snapshot, status.Status{}, err
	}
	st := snapshot.Status()
	if !st.Running() {
		return snapshot, st, notThere(fmt.Sprintf("nothing is running in %q", dir.Path()))
	}
	return snapshot, st, nil
}

// look gathers a status and cuts it down to what was asked for.
func (c *command) look(ctx context.Context, dir statedir.Dir) (status.Status, error) {
	snapshot, err := gather(ctx, dir)
	if err != nil {
		return status.Status{}, err
	}
	st := snapshot.Status()
	if names := st.AppNames(); c.Show.App != "" && st.Running() && !st.Only(c.Show.App) {
		return status.Status{}, unknownApp(c.Show.App, names)
	}
	return st, nil
}

func unknownApp(typed string, names []string) error {
	if near := spelling.DidYouMean(typed, names); near != "" {
		return fmt.Errorf("unknown app %q%s", typed, near)
	}
	if len(names) == 0 {
		return fmt.Errorf("unknown app %q; there are no apps", typed)
	}
	return cli.Hint(fmt.Errorf("unknown app %q", typed), "the apps are %s", strings.Join(names, ", "))
}

// unanswered is an error that names the parts that did not answer, nil if all
// did.
func unanswered(st status.Status) error {
	var parts []string
	for _, p := range st.Parts {
		if p.State != status.Up {
			parts = append(parts, fmt.Sprintf("passenger-%s (%s)", p.Name, p.Error))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	err := fmt.Errorf("no answer from %s", strings.Join(parts, ", "))
	if st.Denied() {
		return cli.Hint(err, "%s", cli.AccessHint(st.StateDir))
	}
	return cli.Hint(err,
		"what is shown comes from the other parts and from files in %s", st.StateDir)
}

// print writes the status to stdout.
func (c *command) print(st status.Status) error {
	out, err := c.render(st)
	if err == nil {
		_, err = os.Stdout.WriteString(out)
	}
	return err
}

func (c *command) render(st status.Status) (string, error) {
	switch {
	case c.Format == "json" || c.As == "json":
		b, err := marshal(st, !c.Watch)
		if err != nil {
			return "", fmt.Errorf("internal error: %w", err)
		}
		return string(b) + "\n", nil
	case c.Watch:
		return st.Text(style()) + "\n", nil
	}
	return st.Text(style()), nil
}

// style is that of stdout.
func style() status.Style {
	return status.Style{Colour: isatty.IsTerminal(os.Stdout.Fd()) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}
