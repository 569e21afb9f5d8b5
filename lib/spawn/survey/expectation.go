package survey

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"passenger/lib/proc"
)

// An Expectation is what an earlier start of the generation found in the app's
// directory. A start may be planned by it. Then the new process itself looks,
// at its gate, and goes on only if it finds the same. That is as safe as a look
// by another process before, and saves the start of that process.
type Expectation struct {
	Question Question        `json:"question"`
	Findings json.RawMessage `json:"findings"`

	// Reader is who reads the directory as long as it belongs to Owner, nil for
	// our own user. The process would find the same, but would have to load the
	// system's user database for it, which costs it a millisecond.
	Owner  int        `json:"owner"`
	Reader *proc.User `json:"reader,omitempty"`
}

// Expect is the expectation that the answer to q is still f.
func Expect(q Question, f Findings) (*Expectation, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("app %q: what lies in its directory: %w", q.Config.Name, err)
	}
	reader, err := q.reader(f.Release.Owner)
	if err != nil {
		return nil, err
	}
	return &Expectation{Question: q, Findings: text, Owner: f.Release.Owner, Reader: reader}, nil
}

// Holds looks whether the expectation is true. The new process calls it.
func (e *Expectation) Holds() bool {
	f, err := e.Question.look(func(owner int) (*proc.User, error) {
		if owner != e.Owner {
			return nil, ErrChanged
		}
		return e.Reader, nil
	})
	if err != nil {
		return false // the survey that follows says why
	}
	text, err := json.Marshal(f)
	return err == nil && bytes.Equal(text, e.Findings)
}

// ErrChanged says that the app's directory is not what the start was planned
// by. Nothing has been started then.
var ErrChanged = errors.New("the app's directory has changed since the generation's last start")
