package migrate

import "strings"

// readPassengerfile reads Passenger's own file of an app.
func readPassengerfile(r *reading) error {
	root, err := javaScript.strict(r.text)
	if err != nil {
		return err
	}
	r.literal(root)
	d := r.draft()
	d.found = true
	for _, f := range root.fields {
		it := item(f)
		if f.name == "envvars" && f.value.kind == object {
			variablesOf(d, it)
			r.skip(f.line, f.line)
			continue
		}
		d.passenger(strings.TrimSpace(f.name), it)
	}
	return nil
}
