package protocol

// A Code says what kind of error a call met. The list is closed and
// append-only; clients branch on it, never on the message.
type Code string

const (
	CodeBadRequest      Code = "bad-request"      // 400: the body or a parameter makes no sense
	CodeNotAllowed      Code = "not-allowed"      // 403: the caller's credentials do not suffice
	CodeUnknownApp      Code = "unknown-app"      // 404
	CodeUnknownProcess  Code = "unknown-process"  // 404
	CodeUnknownRequest  Code = "unknown-request"  // 404 or 405: no such call
	CodeConflict        Code = "conflict"         // 409: the name, route or ID is taken
	CodeTooLarge        Code = "too-large"        // 413: body over MaxBody
	CodeInvalidApp      Code = "invalid-app"      // 422: the app's settings are wrong
	CodeSpawnFailed     Code = "spawn-failed"     // 502: details hold a SpawnError
	CodeRestartFailed   Code = "restart-failed"   // 502: the old generation serves on; details hold a SpawnError
	CodeStopping        Code = "stopping"         // 503: this daemon is going away
	CodeNotReady        Code = "not-ready"        // 503: a part that the call needs is down
	CodeTimeout         Code = "timeout"          // 504
	CodeVersionMismatch Code = "version-mismatch" // 505
	CodeInternal        Code = "internal"         // 500: a bug of ours
)

// An Error is what a call failed with.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`

	// Hint is the next step for a person, empty if there is none to give.
	Hint string `json:"hint,omitempty"`

	// Details is set for CodeSpawnFailed and CodeRestartFailed.
	Details *SpawnError `json:"details,omitempty"`
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// ErrorReply is the body of every reply with a 4xx or 5xx status.
type ErrorReply struct {
	Error *Error `json:"error"`
}
