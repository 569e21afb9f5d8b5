package migrate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"passenger/lib/protocol"
	"passenger/lib/visible"
)

// JSON is an app's settings as a file has them, in the pool's --apps-dir or as a
// Passengerfile.json.
func JSON(c protocol.AppConfig) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(c)
	return b.Bytes(), err
}

// headings stand above the notes of each fate, in the order of the fates.
var headings = []string{"Taken over:", "Nothing to do for these:", "To do by hand:"}

// WriteNotes writes what became of a file, for people.
func (r *Report) WriteNotes(w io.Writer, file string) error {
	var b bytes.Buffer
	for fate, heading := range headings {
		first := true
		for _, n := range r.Notes {
			if n.Fate != Fate(fate) {
				continue
			}
			if first {
				fmt.Fprintf(&b, "%s\n", heading)
				first = false
			}
			lines := fmt.Sprint(n.Line)
			if n.End > n.Line {
				lines = fmt.Sprintf("%d-%d", n.Line, n.End)
			}
			fmt.Fprintf(&b, "  %s:%s: %s: %s\n", visible.Line(file), lines, visible.Line(n.Name), visible.Line(n.Text))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}
