package main

import (
	"bufio"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"passenger/lib/cli"
	"passenger/lib/proc"
)

type execChange struct {
	User     string   `name:"user" placeholder:"NAME" help:"Run as this user, with its groups. Needs root."`
	Group    string   `name:"group" placeholder:"NAME" help:"Run with this primary group. Default: the user's."`
	Umask    string   `name:"umask" placeholder:"OCTAL" help:"Set the file mode creation mask."`
	Limit    []string `name:"limit" sep:"none" placeholder:"NAME=VALUE" help:"Set a resource limit, such as nofile=1024 or core=unlimited. May be repeated."`
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
		return fmt.Errorf("no command to become")
	}
	change, err := e.change()
	if err != nil {
		return err
	}
	env, err := e.environment()
	if err != nil {
		return err
	}
	if err := change.Apply(); err != nil {
		if change.Switch != nil && os.Geteuid() != 0 {
			return cli.Hint(err, "--user and --group need root")
		}
		return err
	}
	return proc.Exec(args, env)
}

func (e *execChange) change() (proc.Change, error) {
	c := proc.Change{Dir: e.Chdir}
	if e.Umask != "" {
		mask, err := strconv.ParseUint(e.Umask, 8, 9)
		if err != nil {
			return c, fmt.Errorf("--umask %q is not an octal number of 0 to 0777", e.Umask)
		}
		m := int(mask)
		c.Umask = &m
	}
	for _, s := range e.Limit {
		l, err := proc.ParseLimit(s)
		if err != nil {
			return c, fmt.Errorf("--limit: %w", err)
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
	u, err := user.Current()
	if e.User != "" {
		u, err = lookUp(e.User, user.Lookup, user.LookupId)
	}
	if err != nil {
		return nil, fmt.Errorf("--user: %w", err)
	}
	gid := u.Gid
	if e.Group != "" {
		g, err := lookUp(e.Group, user.LookupGroup, user.LookupGroupId)
		if err != nil {
			return nil, fmt.Errorf("--group: %w", err)
		}
		gid = g.Gid
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of user %q: %w", u.Username, err)
	}
	groups, err := numbers(append([]string{u.Uid, gid}, ids...))
	if err != nil {
		return nil, err
	}
	return &proc.User{UID: groups[0], GID: groups[1], Groups: groups[2:]}, nil
}

// lookUp finds a user or group by name, else by number.
func lookUp[T any](s string, byName, byID func(string) (T, error)) (T, error) {
	v, err := byName(s)
	if err != nil {
		if v, e := byID(s); e == nil {
			return v, nil
		}
	}
	return v, err
}

func numbers(ids []string) ([]int, error) {
	ns := make([]int, len(ids))
	for i, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil {
			return nil, fmt.Errorf("user database: %q is no number", id)
		}
		ns[i] = n
	}
	return ns, nil
}

func (e *execChange) environment() ([]string, error) {
	var env []string
	if !e.ClearEnv {
		env = os.Environ()
	}
	for _, path := range e.EnvFile {
		kvs, err := readEnvFile(path)
		if err != nil {
			return nil, fmt.Errorf("--env-file: %w", err)
		}
		env = append(env, kvs...)
	}
	for _, kv := range e.Env {
		if name, _, ok := strings.Cut(kv, "="); !ok || name == "" {
			return nil, fmt.Errorf("--env %q has not the form NAME=VALUE", kv)
		}
		env = append(env, kv)
	}
	return lastWins(env), nil
}

// readEnvFile reads NAME=VALUE lines; empty lines and those that begin with #
// count for nothing, and a value may stand in single or double quotes.
func readEnvFile(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var env []string
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimPrefix(strings.TrimSpace(lines.Text()), "export ")
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("%s: line %d has not the form NAME=VALUE", path, n)
		}
		if len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
			value = value[1 : len(value)-1]
		}
		env = append(env, name+"="+value)
	}
	return env, lines.Err()
}

// lastWins drops all but the last value of each name: what getenv(3) does with
// two differs.
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
