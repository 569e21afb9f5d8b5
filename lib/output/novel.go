package output

import (
	"bytes"
	"fmt"
	"sync"
)

// mostStart is how much of what a start wrote is remembered, in bytes. Beyond
// that it is shown each time.
const mostStart = 64 << 10

// A Novel sink is for a person who watches: of starts of an app that fail one
// after the other with the same words, it shows those of the first.
//
// What a start writes is held back for as long as it is what the failed one
// before it wrote, until it differs, the process is ready, or it ended.
type Novel struct {
	To *Log

	mu     sync.Mutex         // guards the fields below, and the order of what is passed on
	failed map[string][]byte  // by app, what its last start wrote if that failed
	starts map[*Source]*start // those that are not ready yet
}

type start struct {
	wrote  []byte
	stream Stream // of what was written last
	shown  bool   // what comes is passed on at once
}

// Begin tells that what the source writes from now on is of a start.
func (n *Novel) Begin(from *Source) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.starts == nil {
		n.starts, n.failed = map[*Source]*start{}, map[string][]byte{}
	}
	n.starts[from] = &start{shown: n.failed[from.App] == nil}
}

// Lines makes Novel a [Sink].
func (n *Novel) Lines(from *Source, stream Stream, text []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.starts[from]
	if s == nil {
		n.To.Lines(from, stream, text)
		return
	}
	s.stream = stream
	s.wrote = append(s.wrote, text...)
	switch {
	case s.shown:
		n.To.Lines(from, stream, text)
	case !bytes.HasPrefix(n.failed[from.App], s.wrote):
		n.show(from, s)
	}
	if len(s.wrote) > mostStart {
		s.wrote = s.wrote[:mostStart:mostStart] // longer than any that is kept
	}
}

// show passes on what was held back.
func (n *Novel) show(from *Source, s *start) {
	s.shown = true
	if len(s.wrote) > 0 {
		n.To.Lines(from, s.stream, s.wrote)
	}
}

// Ready tells that the start went well.
func (n *Novel) Ready(from *Source) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.starts[from]; s != nil {
		if !s.shown {
			n.show(from, s)
		}
		delete(n.starts, from)
		delete(n.failed, from.App)
	}
}

// Ended tells that the source writes no more. A start that was not ready failed.
func (n *Novel) Ended(from *Source) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.starts[from]
	delete(n.starts, from)
	switch {
	case s == nil || len(s.wrote) == 0:
		return
	case !s.shown && len(s.wrote) == len(n.failed[from.App]):
		n.To.Lines(from, s.stream, fmt.Appendf(nil, "(the same %d lines as at the last start)\n", bytes.Count(s.wrote, []byte("\n"))))
	case !s.shown:
		n.show(from, s)
	}
	if len(s.wrote) < mostStart {
		n.failed[from.App] = s.wrote
	}
}
