package cli

import (
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// variables gives each flag of a daemon, which is the command "serve", an
// environment variable: PASSENGER_POOL_MAX_POOL_SIZE is --max-pool-size of
// passenger-pool. A flag on the command line wins. The other commands are for
// people and scripts and have none, but for $PASSENGER_STATE_DIR: a variable
// that is set for a daemon never changes what a client does.
type variables struct {
	serve   *kong.Node
	verbose *kong.Flag

	// lines are the flags whose values may hold a comma. Their variables hold
	// one value a line.
	lines map[*kong.Flag]string
}

func newVariables(parser *kong.Kong, program string) *variables {
	v := &variables{lines: map[*kong.Flag]string{}}
	for _, node := range parser.Model.Children {
		if node.Name == "serve" {
			v.serve = node
		}
	}
	if v.serve == nil {
		return v
	}
	for _, f := range parser.Model.Flags {
		if f.Name == "verbose" {
			v.verbose = f
		}
	}
	for _, f := range v.serve.Flags {
		name := variable(program, f.Name)
		if f.IsSlice() && f.Tag.Sep == -1 {
			v.lines[f] = name
			f.Help += " ($" + name + ", one a line)"
			continue
		}
		f.Envs = []string{name}
		f.Tag.Envs = f.Envs
	}
	return v
}

func variable(program, flag string) string {
	return strings.ToUpper(strings.ReplaceAll(program+"_"+flag, "-", "_"))
}

// check refuses variables that are set but empty, of the command that args
// select. It comes before the arguments are parsed, which reads them.
func (v *variables) check(parser *kong.Kong, program string, args []string) error {
	flags := parser.Model.Flags
	if v.serves(parser, args) {
		if v.verbose != nil {
			v.verbose.Tag.Envs = []string{variable(program, v.verbose.Name)}
			v.verbose.Envs = v.verbose.Tag.Envs
		}
		flags = append(append([]*kong.Flag{}, flags...), v.serve.Flags...)
	}
	for _, f := range flags {
		for _, env := range f.Envs {
			if value, ok := os.LookupEnv(env); ok && value == "" {
				return fmt.Errorf("$%s is set but empty; unset it or give it a value", env)
			}
		}
	}
	return nil
}

func (v *variables) serves(parser *kong.Kong, args []string) bool {
	if v.serve == nil {
		return false
	}
	traced, err := kong.Trace(parser, args)
	if err != nil {
		return false
	}
	for _, at := range traced.Path {
		if at.Command == v.serve {
			return true
		}
	}
	return false
}

// readLines sets the flags of the daemon that take one value a line.
func (v *variables) readLines(parsed *kong.Context) {
	if v.serve == nil || parsed.Selected() != v.serve {
		return
	}
	given := map[*kong.Flag]bool{}
	for _, at := range parsed.Path {
		given[at.Flag] = true
	}
	for f, name := range v.lines {
		if given[f] {
			continue
		}
		values := []string{}
		for line := range strings.Lines(os.Getenv(name)) {
			if line = strings.TrimSpace(line); line != "" {
				values = append(values, line)
			}
		}
		if len(values) > 0 {
			f.Target.Set(reflect.ValueOf(values))
		}
	}
}
