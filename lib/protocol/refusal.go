package protocol

import "time"

// A Refusal is why the settings in one file are not in use. An app that ran
// before goes on with those that it had.
type Refusal struct {
	// App is the app's name as far as it is known, empty if File is the
	// directory of all.
	App string `json:"app,omitempty"`

	// File has the settings: a file, or the directory of an app that was named
	// on the command line.
	File string `json:"file"`

	At      time.Time `json:"at"`
	Message string    `json:"message"`
	Hint    string    `json:"hint,omitempty"`
}

// A ReloadReply is the reply to POST /v1/reload.
type ReloadReply struct {
	// Apps is how many apps there are.
	Apps int `json:"apps"`

	// Refused are all settings that were refused, none if the list is empty.
	Refused []Refusal `json:"refused"`
}
