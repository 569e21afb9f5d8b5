package protocol

import "encoding/json"

// AppSettings is the reply to GET /v1/apps/NAME/settings: what is in effect, and
// where it comes from.
type AppSettings struct {
	App string `json:"app"`

	// Settings are in order of their keys. One without a value, whose default is
	// nothing, is left out.
	Settings []Setting `json:"settings"`
}

// A Setting is one setting of an app.
type Setting struct {
	// Key is that of Passengerfile(5), or "instances" and "paused" for orders of
	// a command.
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`

	// Source is where the value comes from.
	Source SettingSource `json:"source"`

	// File is where it stands, and Line where in it, 0 if the file says it by its
	// name; both are empty for other sources. Variable is an environment variable.
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Variable string `json:"variable,omitempty"`

	// Changed says that another value stands there by now, which comes into
	// effect when the pool reads the settings again.
	Changed bool `json:"changed,omitempty"`
}

// A Preview is the reply to POST /v1/apps/NAME/preview, whose body is that of a
// PATCH of the app: what that would change.
type Preview struct {
	App     string   `json:"app"`
	Changes []Change `json:"changes"` // in order of their keys
}

// A Change is that of one setting.
type Change struct {
	Key string `json:"key"`

	// Was and Value are what it was and is to be, null for a default that is
	// nothing; secrets are hidden.
	Was   json.RawMessage `json:"was"`
	Value json.RawMessage `json:"value"`

	Effect Effect `json:"effect"`
}

// An Effect is how a change comes into effect.
type Effect string

const (
	EffectNow     Effect = "now"     // at once, for the processes that run
	EffectRestart Effect = "restart" // the app restarts for it by itself
	EffectLater   Effect = "later"   // for processes that start from then on; a restart replaces the others
)

// A SettingSource says what a setting was set by.
type SettingSource string

const (
	SetByDefault  SettingSource = "default"
	SetByFlag     SettingSource = "flag"     // on the pool's command line
	SetByVariable SettingSource = "variable" // in the pool's environment
	SetByFile     SettingSource = "file"     // of the administrator, or the app's own
	SetAtRunTime  SettingSource = "run time" // by a command such as "passenger-pool add"
)
