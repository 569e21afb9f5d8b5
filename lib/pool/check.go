package pool

import (
	"fmt"

	"passenger/lib/protocol"
)

// Check says why the app cannot be beside those that are there: its name
// belongs to an app in another directory, or another app is mounted at its
// place. The settings are complete and valid.
func (p *Pool) Check(c protocol.AppConfig) error {
	for _, a := range p.sorted() {
		o := a.config
		switch {
		case a.removed:
		case o.Name == c.Name:
			if o.AppRoot != "" && o.AppRoot != c.AppRoot {
				return conflict(fmt.Sprintf("app %q is %s, and %s claims the same name", o.Name, o.AppRoot, c.AppRoot),
					"give one of them another name")
			}
		default:
			if place := samePlace(o, c); place != "" {
				return conflict(fmt.Sprintf("apps %q (%s) and %q (%s) both claim %s", o.Name, o.AppRoot, c.Name, c.AppRoot, place),
					"give one of them server_names or another base_uri")
			}
		}
	}
	return nil
}

func conflict(message, hint string) error {
	return &protocol.Error{Code: protocol.CodeConflict, Message: message, Hint: hint}
}

// samePlace names a place that both apps claim, empty if there is none.
func samePlace(a, b protocol.AppConfig) string {
	if a.Unlisted || b.Unlisted || a.BaseURI != b.BaseURI {
		return ""
	}
	if len(a.ServerNames) == 0 && len(b.ServerNames) == 0 {
		return fmt.Sprintf("%q for any host", a.BaseURI)
	}
	claimed := make(map[string]bool, len(b.ServerNames))
	for _, name := range b.ServerNames {
		claimed[name] = true
	}
	for _, name := range a.ServerNames {
		if claimed[name] {
			return fmt.Sprintf("%q for host %q", a.BaseURI, name)
		}
	}
	return ""
}
