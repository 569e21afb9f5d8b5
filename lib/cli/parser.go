package cli

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/alecthomas/kong"
)

// A parser reads the command line of a program, and the variables of its flags.
type parser struct {
	*kong.Kong
	program   string
	variables *variables

	// meant tells what to do instead of an unknown flag or command, in words that
	// follow its name, or nothing. It is nil if no program has better words than we.
	meant func(word string, known []string) string
}

func newParser(program, description string, command any) (*parser, error) {
	k, err := kong.New(command,
		kong.Name(program),
		kong.Description(description+" See "+program+"(1)."),
		kong.Vars{"version": program + " " + Release},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), durations{}),
		kong.KindMapper(reflect.String, kong.MapperFunc(word)),
	)
	if err != nil {
		return nil, fmt.Errorf("internal error: %w", err)
	}
	return &parser{k, program, newVariables(k, program), nil}, nil
}

// word takes over a word as it is. kong itself sends it through JSON, which has no
// bytes that are not UTF-8, as the name of a file may have.
func word(ctx *kong.DecodeContext, target reflect.Value) error {
	t, err := ctx.Scan.PopValue("string")
	if err != nil {
		return err
	}
	target.SetString(t.String())
	return nil
}

// askedForHelp makes "COMMAND --help" of "help COMMAND".
func (p *parser) askedForHelp(args []string) []string {
	if len(args) == 0 || args[0] != "help" || len(p.Model.Children) == 0 {
		return args
	}
	return append(slices.Clone(args[1:]), "--help")
}

// parse fills the command in.
func (p *parser) parse(args []string) (*kong.Context, error) {
	if err := p.variables.check(p.Kong, p.program, args); err != nil {
		return nil, err
	}
	parsed, err := p.Parse(args)
	if err != nil {
		return nil, p.inWords(err)
	}
	if err := emptyFlag(parsed); err != nil {
		return nil, err
	}
	p.variables.readLists(parsed)
	return parsed, nil
}
