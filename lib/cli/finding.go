package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"passenger/lib/visible"
)

// A Finding is one thing that is wrong, or has no effect, in settings.
type Finding struct {
	// File is where it stands, empty if that is the command line; Line is 0 if it
	// is not one line.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`

	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`

	// Warning says that the daemon starts all the same.
	Warning bool `json:"warning,omitempty"`
}

// A Check is what the commands called "check" share.
type Check struct {
	JSON bool `name:"json" help:"Print what is found as JSON: file, line, message, hint, warning."`
}

// Report prints findings in order. It is an error if one of them is no warning.
func (c Check) Report(found []Finding) error {
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Message, b.Message))
	})
	found = slices.Compact(found)
	var err error
	if c.JSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(struct {
			Findings []Finding `json:"findings"`
		}{append([]Finding{}, found...)})
	} else {
		for _, f := range found {
			fmt.Println(visible.Text(f.text()))
		}
	}
	wrong := 0
	for _, f := range found {
		if !f.Warning {
			wrong++
		}
	}
	switch {
	case err != nil:
		return err
	case wrong == 1:
		return fmt.Errorf("1 thing is wrong")
	case wrong > 1:
		return fmt.Errorf("%d things are wrong", wrong)
	}
	return nil
}

// text is a finding as compilers write one.
func (f Finding) text() string {
	text := f.Message
	if f.Warning {
		text = "warning: " + text
	}
	switch {
	case f.File != "" && f.Line > 0:
		text = fmt.Sprintf("%s:%d: %s", f.File, f.Line, text)
	case f.File != "":
		text = f.File + ": " + text
	}
	if f.Hint != "" {
		text += "\n  hint: " + f.Hint
	}
	return text
}

// FindingOf is an error as a finding.
func FindingOf(err error) Finding {
	f := Finding{Message: err.Error()}
	if e, ok := err.(*Error); ok {
		f.Hint = e.Hint
	}
	return f
}
