package http2

import (
	"sync"
	"time"
)

// A crew is the goroutines that serve streams, of all connections. One that is
// done with a stream stays for a while: its stack has grown to what serving
// takes, and to have each stream's grow anew costs an eighth of the work.
type crew struct {
	mu      sync.Mutex // guards all
	idle    []chan *Stream
	fewest  int // of idle, since the last look
	looking bool
}

const (
	mostIdle = 256         // goroutines that stay
	lookTime = time.Second // after which those go that were idle all the time
)

var staff crew

// serve serves s in a goroutine of its own.
func (w *crew) serve(s *Stream) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.idle) - 1
	if n < 0 {
		go w.work(s)
		return
	}
	w.idle[n] <- s // there is room: it takes one each time that it is idle
	w.idle = w.idle[:n]
	w.fewest = min(w.fewest, n)
}

func (w *crew) work(s *Stream) {
	next := make(chan *Stream, 1)
	for s != nil {
		s.serve()
		if !w.rest(next) {
			return
		}
		s = <-next
	}
}

// rest notes that the goroutine that takes from next is idle, and reports whether
// it may stay.
func (w *crew) rest(next chan *Stream) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.idle) == mostIdle {
		return false
	}
	w.idle = append(w.idle, next)
	if !w.looking {
		w.looking, w.fewest = true, 0
		time.AfterFunc(lookTime, w.look)
	}
	return true
}

// look ends the goroutines that were not needed, and comes again if there are
// others.
func (w *crew) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, next := range w.idle[:w.fewest] {
		next <- nil
	}
	n := copy(w.idle, w.idle[w.fewest:])
	clear(w.idle[n:])
	w.idle, w.fewest = w.idle[:n], n
	if w.looking = n > 0; w.looking {
		time.AfterFunc(lookTime, w.look)
	}
}

// serve serves the stream to its end.
func (s *Stream) serve() {
	defer s.conn.work.Done()
	defer s.leave()
	s.conn.config.Serve(s)
}
