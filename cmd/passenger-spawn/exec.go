package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"passenger/lib/account"
	"passenger/lib/app"
	"passenger/lib/cgroup"
	"passenger/lib/cli"
	"passenger/lib/proc"
)

// Exit statuses of exec when there is no command to have one, as env(1) has
// them.
const (
	notExecutable = 126
	notFound      = 127
)

type execChange struct {
	User     string   `name:"user" placeholder:"NAME" help:"Run as this user, with its groups. Needs root."`
	Group    string   `name:"group" placeholder:"NAME" help:"Run with this primary group. Default: the user's."`
	Umask    string   `name:"umask" placeholder:"OCTAL" help:"Set the file mode creation mask."`
	Limit    []string `name:"limit" sep:"none" placeholder:"NAME=VALUE" help:"Set a resource limit, such as nofile=1024 or core=unlimited. May be repeated."`
	Nice     int      `name:"nice" placeholder:"N" help:"Add to the nice value, -20 to 19."`
	OOMScore *int     `name:"oom-score-adj" placeholder:"N" help:"Set the OOM score adjustment, -1000 to 1000."`
	NoPrivs  bool     `name:"no-new-privs" help:"Let no program that is run later give privileges (PR_SET_NO_NEW_PRIVS)."`
	Cgroup   string   `name:"cgroup" placeholder:"DIR" help:"Move into this cgroup (v2), before the user changes."`
	Chdir    string   `name:"chdir" placeholder:"DIR" help:"Change to this directory, as the user."`
	ClearEnv bool     `name:"clear-env" help:"Start from an empty environment."`
	EnvFile  []string `name:"env-file" sep:"none" placeholder:"FILE" help:"Add the NAME=VALUE lines of a file to the environment. May be repeated."`
	Env      []string `name:"env" sep:"none" placeholder:"NAME=VALUE" help:"Add to the environment. May be repeated; wins over files."`

	Command []string `arg:"" passthrough:"partial" name:"command" help:"The command to become, after --."`
}

func (e *execChange) Run() error {
	args := e.Command
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return wrong(errors.New("no command is given"))
	}
	change, err := e.change()
	if err != nil {
		return err
	}
	env, err := e.environment()
	if err != nil {
		return err
	}
	if e.Cgroup != "" {
		if err := cgroup.Enter(e.Cgroup); err != nil {
			return fmt.Errorf("--cgroup: %w", err)
		}
	}
	if err := change.Apply(); err != nil {
		return explained(fmt.Errorf("cannot run %q: %w", args[0], err), change)
	}
	err = fmt.Errorf("cannot run: %w", proc.Exec(args, env))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
		return &cli.Error{Err: err, Status: notFound}
	}
	return &cli.Error{Err: err, Status: notExecutable}
}

// wrong is an error in the command line.
func wrong(err error) error {
	return &cli.Error{Err: err, Status: cli.Usage, Hint: "see passenger-spawn(1)"}
}

// explained adds what to do if the system refused the change.
func explained(err error, change proc.Change) error {
	var blocked *proc.BlockedError
	switch {
	case errors.As(err, &blocked):
		return cli.Hint(err, "let the user in: chmod o+x %s, or give the directory to one of its groups", blocked.Directory)
	case os.Geteuid() != 0 && errors.Is(err, fs.ErrPermission):
		if change.Switch != nil {
			return cli.Hint(err, "--user and --group need root")
		}
		return cli.Hint(err, "raising a hard limit, the priority or the OOM protection needs root")
	}
	return err
}

func (e *execChange) change() (proc.Change, error) {
	c := proc.Change{Dir: e.Chdir, Nice: e.Nice, OOMScoreAdj: e.OOMScore, NoNewPrivileges: e.NoPrivs}
	if e.Nice < -20 || e.Nice > 19 {
		return c, wrong(fmt.Errorf("--nice is %d; it must be -20 to 19", e.Nice))
	}
	if e.OOMScore != nil && (*e.OOMScore < -1000 || *e.OOMScore > 1000) {
		return c, wrong(fmt.Errorf("--oom-score-adj is %d; it must be -1000 to 1000", *e.OOMScore))
	}
	if e.Umask != "" {
		mask, err := strconv.ParseUint(e.Umask, 8, 9)
		if err != nil {
			return c, wrong(fmt.Errorf("--umask %q is not an octal number of 0 to 0777", e.Umask))
		}
		m := int(mask)
		c.Umask = &m
	}
	for _, s := range e.Limit {
		l, err := proc.ParseLimit(s)
		if err != nil {
			return c, wrong(fmt.Errorf("--limit: %w", err))
		}
		c.Limits = append(c.Limits, l)
	}
	var err error
	c.Switch, err = e.switchTo()
	return c, err
}

// switchTo looks the user and group up, nil if neither is to change.
func (e *execChange) switchTo() (*proc.User, error) {
	if e.User == "" && e.Group == "" {
		return nil, nil
	}
	u := account.Current()
	var err error
	if e.User != "" {
		if u, err = account.System.User(e.User); err != nil {
			return nil, fmt.Errorf("--user: %w", err)
		}
	}
	gid := u.GID
	if e.Group != "" {
		g, err := account.System.Group(e.Group)
		if err != nil {
			return nil, fmt.Errorf("--group: %w", err)
		}
		gid = g.GID
	}
	groups, err := account.System.GroupsOf(u, gid)
	if err != nil {
		return nil, err
	}
	return &proc.User{UID: u.UID, GID: gid, Groups: groups}, nil
}

func (e *execChange) environment() ([]string, error) {
	var env []string
	if !e.ClearEnv {
		env = os.Environ()
	}
	for _, path := range e.EnvFile {
		kvs, err := app.ReadEnvFile(path)
		if err != nil {
			return nil, fmt.Errorf("--env-file: %w", err)
		}
		env = append(env, kvs...)
	}
	for _, kv := range e.Env {
		if name, _, ok := strings.Cut(kv, "="); !ok || name == "" {
			return nil, wrong(fmt.Errorf("--env %q has not the form NAME=VALUE", kv))
		}
		env = append(env, kv)
	}
	return lastWins(env), nil
}

// lastWins drops all but the last value of each name. Which of two getenv(3)
// returns differs from program to program.
func lastWins(env []string) []string {
	at := map[string]int{}
	var out []string
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		if i, ok := at[name]; ok {
			out[i] = kv
			continue
		}
		at[name] = len(out)
		out = append(out, kv)
	}
	return out
}
