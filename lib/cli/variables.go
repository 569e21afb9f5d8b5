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

	// lists are the variables of flags that may be repeated. They hold values
	// separated by commas; or one a line, where a value may hold a comma.
	lists map[*kong.Flag]string
}

func newVariables(parser *kong.Kong, program string) *variables {
	v := &variables{lists: map[*kong.Flag]string{}}
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
		if f.IsSlice() {
			v.lists[f] = name
			f.Help += " ($" + name
			if onePerLine(f) {
				f.Help += ", one a line"
			}
			f.Help += ")"
			continue
		}
		f.Envs = []string{name}
		f.Tag.Envs = f.Envs
	}
	return v
}

func onePerLine(f *kong.Flag) bool { return f.Tag.Sep == -1 }

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
		names := f.Envs
		if list, ok := v.lists[f]; ok {
			names = []string{list}
		}
		for _, env := range names {
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

// readLists sets the flags of the daemon that may be repeated, unless they are
// given. Blanks around a value and empty values mean nothing.
func (v *variables) readLists(parsed *kong.Context) {
	if v.serve == nil || parsed.Selected() != v.serve {
		return
	}
	given := map[*kong.Flag]bool{}
	for _, at := range parsed.Path {
		given[at.Flag] = true
	}
	for f, name := range v.lists {
		text := os.Getenv(name)
		if given[f] || text == "" {
			continue
		}
		separator := ','
		if onePerLine(f) {
			separator = '\n'
		}
		values := []string{}
		for _, value := range kong.SplitEscaped(text, separator) {
			if value = strings.TrimSpace(value); value != "" {
				values = append(values, value)
			}
		}
		f.Target.Set(reflect.ValueOf(values))
	}
}

// VariableOf is the variable that a flag of the daemon got its value from, empty
// if it stands on the command line or has its default.
func VariableOf(parsed *kong.Context, program, flag string) string {
	name := variable(program, flag)
	for _, at := range parsed.Path {
		if at.Flag != nil && at.Flag.Name == flag {
			return ""
		}
	}
	if _, set := os.LookupEnv(name); !set {
		return ""
	}
	return name
}

// names are all variables of the daemon, but for that of the state directory.
func (v *variables) names(program string) []string {
	if v.serve == nil {
		return nil
	}
	var names []string
	for _, f := range v.serve.Flags {
		names = append(names, variable(program, f.Name))
	}
	if v.verbose != nil {
		names = append(names, variable(program, v.verbose.Name))
	}
	return names
}
