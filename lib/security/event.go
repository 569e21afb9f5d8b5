// Package security names the events that those who watch a machine want to hear
// of, and keeps them in a file of their own.
//
// An event is a line of a daemon's log that carries an [Action]:
//
//	slog.Warn("call refused", security.CallRefused.Attr(), "user.id", uid)
//
// passenger-security(7) is the list for readers without Go.
package security

import "log/slog"

// Key is the attribute of a log record that makes it an event.
const Key = "event"

// An Action says what happened. It is "event.action" of the Elastic Common
// Schema.
type Action string

const (
	CallRefused       Action = "call-refused"       // a control socket did not let its caller in
	CallMade          Action = "call-made"          // a person or a tool changed something over a control socket
	UserSwitched      Action = "user-switched"      // the spawner let a program run as another user
	AppAdded          Action = "app-added"          // the pool serves an app from now on
	AppChanged        Action = "app-changed"        // the settings of an app are others
	AppRemoved        Action = "app-removed"        // the pool forgot an app
	SettingsRefused   Action = "settings-refused"   // settings are wrong, and were not taken
	RunsAsRoot        Action = "runs-as-root"       // an app runs as root that another user can change
	ReleaseChanged    Action = "release-changed"    // files of a release are not those that its generation began with
	DescriptorRefused Action = "descriptor-refused" // a stranger asked for listening sockets, or brought some
	PathRefused       Action = "path-refused"       // a file was not opened: of whom it is, or where it lies
	ForwardedRefused  Action = "forwarded-refused"  // a client spoke for others and may not
)

// Actions are all there are, in the order of the manual.
var Actions = []Action{
	CallRefused, CallMade, UserSwitched, AppAdded, AppChanged, AppRemoved, SettingsRefused, RunsAsRoot, ReleaseChanged,
	DescriptorRefused, PathRefused, ForwardedRefused,
}

// Attr makes a log record an event.
func (a Action) Attr() slog.Attr { return slog.Any(Key, a) }

// A Kind is how the Elastic Common Schema files an action: "event.category",
// "event.type" and "event.outcome", with values that it allows.
type Kind struct{ Category, Type, Outcome string }

var kinds = map[Action]Kind{
	CallRefused:       {"api", "denied", "failure"},
	CallMade:          {"api", "admin", "success"},
	UserSwitched:      {"process", "start", "success"},
	AppAdded:          {"configuration", "creation", "success"},
	AppChanged:        {"configuration", "change", "success"},
	AppRemoved:        {"configuration", "deletion", "success"},
	SettingsRefused:   {"configuration", "info", "failure"},
	RunsAsRoot:        {"configuration", "info", "unknown"},
	ReleaseChanged:    {"file", "change", "unknown"},
	DescriptorRefused: {"process", "access", "failure"},
	PathRefused:       {"file", "access", "failure"},
	ForwardedRefused:  {"network", "denied", "failure"},
}

// Kind is the kind of the action.
func (a Action) Kind() Kind { return kinds[a] }

// Fields are the action's fields of the Elastic Common Schema, which has a list
// for categories and types.
func (a Action) Fields() []slog.Attr {
	k := a.Kind()
	return []slog.Attr{
		slog.String("event.kind", "event"), slog.Any("event.category", []string{k.Category}), slog.Any("event.type", []string{k.Type}),
		slog.String("event.action", string(a)), slog.String("event.outcome", k.Outcome),
	}
}
