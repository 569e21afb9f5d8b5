package cli

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"passenger/lib/spelling"
	"passenger/lib/systemd"
)

// EnvironmentFile is where the units of the packages take the variables of the
// daemons from.
const EnvironmentFile = "/etc/default/passenger"

// stateDirVariable is the one that all programs share.
const stateDirVariable = "PASSENGER_STATE_DIR"

// sections are the beginnings of the names of variables, by program.
var sections = []string{"PASSENGER_SPAWN_", "PASSENGER_POOL_", "PASSENGER_PROXY_", "PASSENGER_STATUS_"}

// ReadEnvironmentFile fills the command "serve" of a program in as a service
// does whose unit names the file, and returns all that is wrong with the
// program's variables there. command is as it is given to [Main]. It changes the
// environment of this process meanwhile, so nothing may run beside it. An empty
// path stands for a file without variables.
func ReadEnvironmentFile(program string, command any, path string) ([]Finding, error) {
	var list []systemd.Assignment
	var slips []systemd.Slip
	if path != "" {
		var err error
		if list, slips, err = systemd.ReadEnvironment(path); err != nil {
			return nil, err
		}
	}
	p, err := newParser(program, "", command)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, s := range slips {
		found = append(found, Finding{File: path, Line: s.Line, Message: s.Message + "; systemd leaves it out"})
	}
	defer withoutVariables()()
	var good []systemd.Assignment
	for _, a := range list {
		switch why, mine := p.wrong(a); {
		case why != "":
			found = append(found, Finding{File: path, Line: a.Line, Message: why})
		case mine:
			good = append(good, a)
		}
	}
	for _, a := range good {
		_ = os.Setenv(a.Name, a.Value) // fails only for an impossible name
	}
	if _, err := p.parse([]string{"serve"}); err != nil {
		found = append(found, Finding{File: path, Message: err.Error()})
	}
	return found, nil
}

// wrong says what is wrong with a variable by itself, and whether it is this
// program's.
func (p *parser) wrong(a systemd.Assignment) (why string, mine bool) {
	if !strings.HasPrefix(a.Name, "PASSENGER_") {
		return "", false
	}
	known := append(p.variables.names(p.program), stateDirVariable)
	if !slices.Contains(known, a.Name) {
		others := slices.DeleteFunc(slices.Clone(sections), func(s string) bool { return s == variable(p.program, "") })
		if slices.ContainsFunc(others, func(s string) bool { return strings.HasPrefix(a.Name, s) }) {
			return "", false
		}
		return fmt.Sprintf("no daemon has a variable %s%s", a.Name, spelling.DidYouMean(a.Name, known)), false
	}
	_ = os.Setenv(a.Name, a.Value) // fails only for an impossible name
	defer os.Unsetenv(a.Name)
	if _, err := p.parse([]string{"serve"}); err != nil {
		text := err.Error()
		if !strings.Contains(text, a.Name) {
			text = a.Name + ": " + text
		}
		return text, true
	}
	return "", true
}

// withoutVariables takes the variables of the daemons out of the environment,
// and returns what puts them back.
func withoutVariables() (putBack func()) {
	taken := map[string]string{}
	ours := func(name string) bool {
		return name == stateDirVariable || slices.ContainsFunc(sections, func(s string) bool { return strings.HasPrefix(name, s) })
	}
	take := func(keep map[string]string) {
		for _, entry := range os.Environ() {
			if name, value, _ := strings.Cut(entry, "="); ours(name) {
				keep[name] = value
				_ = os.Unsetenv(name) // fails only for an impossible name
			}
		}
	}
	take(taken)
	return func() {
		take(map[string]string{})
		for name, value := range taken {
			_ = os.Setenv(name, value) // as it was
		}
	}
}

// warnOfUnknown logs which variables of a daemon have no meaning. They are no
// error: an older program may have been put back under a newer file.
func (p *parser) warnOfUnknown(environ []string) {
	known := p.variables.names(p.program)
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, variable(p.program, "")) && !slices.Contains(known, name) {
			slog.Warn("variable without a meaning", "name", name, "hint", strings.TrimPrefix(spelling.DidYouMean(name, known)+"; see "+p.program+" serve --help", "; "))
		}
	}
}
