package protocol

// An Access says what a call does to its daemon.
type Access string

const (
	Reads   Access = "read"   // the call changes nothing
	Changes Access = "change" // the call changes what the daemon has or does
)

// A Call describes one call that a daemon answers.
type Call struct {
	Method string `json:"method"`

	// Path has a word in braces where a name or an ID stands:
	// "/v1/apps/{name}".
	Path string `json:"path"`

	Access Access `json:"access"`

	// Watch says that the call can be watched, with ?watch=1.
	Watch bool `json:"watch,omitempty"`
}

// A CallList is the reply to GET /v1: what the daemon answers.
type CallList struct {
	Calls []Call `json:"calls"`
}
