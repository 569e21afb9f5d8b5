package cli

import (
	"fmt"
	"os"
	"strings"
)

// A Script is a program that is a shell script, and has its command line read
// here.
type Script struct {
	Name, Description string

	// Command is as it is given to [Main], with a Run that returns an error and
	// prints text for the shell, by [Assign].
	Command any

	// Meant tells what to do instead of an unknown flag or command, in words that
	// follow its name.
	Meant func(word string, known []string) string
}

// Read reads args, and returns the exit status. What is then on standard output is
// shell text: what Command printed, or what prints the help and exits.
func (s Script) Read(args []string) int {
	p, err := newParser(s.Name, s.Description, s.Command)
	if err != nil {
		return reporter{s.Name, textFormat}.report(err)
	}
	p.meant = s.Meant
	var help strings.Builder
	p.Stdout = &help
	leave := func() {
		if help.Len() > 0 {
			fmt.Printf("printf %%s %s; exit\n", quote(help.String()))
		}
	}
	p.Exit = func(int) { leave(); os.Exit(Done) }
	if p.complete(args) {
		leave()
		return Done
	}
	parsed, err := p.parse(p.askedForHelp(args))
	told := reporter{s.Name, p.logFormat(args)}
	if err != nil {
		return told.report(&usageError{err})
	}
	return told.report(parsed.Run())
}

// Assign is shell text that sets a variable.
func Assign(name, value string) string { return name + "=" + quote(value) + "\n" }

// AssignWords is shell text that sets a variable to words. A shell has them apart
// again after: eval "set -- $NAME".
func AssignWords(name string, words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return Assign(name, strings.Join(quoted, " "))
}
