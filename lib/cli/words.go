package cli

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"time"

	"github.com/alecthomas/kong"
)

// durations reads flags that take a duration.
type durations struct{}

func (durations) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("takes a duration such as 500ms, 5s or 1m30s, not %q", text)
	}
	target.Set(reflect.ValueOf(d))
	return nil
}

// phrases are what the parser says of a command line, and how these commands
// say it.
var phrases = []struct {
	said *regexp.Regexp
	say  string
}{
	{regexp.MustCompile(`expected a valid \d+ bit u?int but got`), "takes a whole number, not"},
	{regexp.MustCompile(`expected a float but got (".*") \(string\)`), "takes a number, not $1"},
	{regexp.MustCompile(`^expected "(<.*>)(?: \.\.\.)?"$`), "an argument is missing: $1"},
	{regexp.MustCompile(`: expected .* value but got "EOL" \(<EOL>\)`), " needs a value"},
	{regexp.MustCompile(`bool value must be true, 1, yes, false, 0 or no but got`), "takes no value but true or false, not"},
	{regexp.MustCompile(`, did you mean one of (?:"-\w"(?:, )?)+\?`), ""}, // any flag of one letter is like another
	{regexp.MustCompile(`^unknown flag -(\d+)`), "-$1 is no argument here; a number is 0 or more"},
	{regexp.MustCompile(`\(from envar (\w+)=.*\)`), "(from the environment variable $$$1)"},
	{regexp.MustCompile(`, did you mean `), "; did you mean "},
}

// strayWord is what the parser says of a word where a command is to be.
var strayWord = regexp.MustCompile(`^unexpected argument (.*?)(, did you mean .*)?$`)

// unknownWord is a flag or a command that there is not, and what the parser takes
// for it.
var unknownWord = regexp.MustCompile(`^unknown (?:flag|command) "?([^ ",;]+)"?`)

// inWords says in the words of these commands what is wrong with a command line.
func (p *parser) inWords(err error) error {
	text := err.Error()
	var wrong *kong.ParseError
	if errors.As(err, &wrong) && wrong.Context.Selected() == nil && len(p.Model.Children) > 0 {
		text = strayWord.ReplaceAllString(text, `unknown command "$1"$2`)
	}
	if m := unknownWord.FindStringSubmatch(text); m != nil {
		if instead := p.instead(m[1], wrong); instead != "" {
			return errors.New(m[0] + instead)
		}
	}
	for _, p := range phrases {
		text = p.said.ReplaceAllString(text, p.say)
	}
	return errors.New(text)
}
