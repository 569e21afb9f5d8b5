package control

import (
	"encoding/json"
	"sync"
	"time"

	"passenger/lib/protocol"
)

// A Source is something that can be watched.
type Source interface {
	// Newest returns the newest value and a channel that is closed when there
	// is a newer one.
	Newest() (value any, changed <-chan struct{})
}

// A Feed holds the newest value of T for its watchers. The zero Feed holds the
// zero T.
type Feed[T any] struct {
	mu      sync.Mutex // guards the fields below
	value   T
	changed chan struct{} // nil until a watch waits
}

// Set replaces the value and wakes the watchers. The value must not be changed
// afterwards.
func (f *Feed[T]) Set(value T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.value = value
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// Get returns the newest value.
func (f *Feed[T]) Get() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.value
}

// Wait returns the newest value and a channel that is closed when there is a
// newer one.
func (f *Feed[T]) Wait() (T, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return f.value, f.changed
}

// Newest makes a Feed a [Source].
func (f *Feed[T]) Newest() (any, <-chan struct{}) { return f.Wait() }

// A Differ is a value of a feed that can tell what changed. A watch with
// ?changes=1 has the first value as a whole and then only changes.
type Differ interface {
	// Since is what a reader that has before, an older value, lacks of this one.
	Since(before any) any
}

// A tale is what one watch was told.
type tale struct {
	changes bool // it wants changes only
	last    any  // nil before the first value
}

// next is what to tell of a value.
func (t *tale) next(v any) any {
	d, ok := v.(Differ)
	if !ok || !t.changes {
		return v
	}
	before := t.last
	t.last = v
	if before == nil {
		return v
	}
	return d.Since(before)
}

// A teller gets the lines of a watch.
type teller interface{ part([]byte) error }

func (s *Server) watch(to teller, r *Request, feed Source) {
	told := tale{changes: r.URL.Query().Get("changes") == "1"}
	keepAlive := time.NewTicker(protocol.WatchKeepAlive)
	defer keepAlive.Stop()
	for {
		v, changed := feed.Newest()
		began := time.Now()
		// A reader that does not read holds no more than this goroutine, and
		// that only so long.
		line, err := json.Marshal(told.next(v))
		if err != nil || to.part(append(line, '\n')) != nil {
			return
		}
		s.breathe(r, time.Since(began))
		for waiting := true; waiting; {
			select {
			case <-changed:
				waiting = false
			case <-keepAlive.C:
				if to.part([]byte("\n")) != nil {
					return
				}
			case <-r.Context().Done():
				return
			case <-s.stop.Done():
				return
			}
		}
	}
}

const (
	// A watch of a large value that changes all the time may take this part of
	// a processor, one in so many: what changes meanwhile goes out together.
	watchShare = 4

	longestBreath = 250 * time.Millisecond
)

// breathe rests after an answer that took so long to make and write.
func (s *Server) breathe(r *Request, took time.Duration) {
	if took < time.Millisecond {
		return
	}
	select {
	case <-time.After(min(took*(watchShare-1), longestBreath)):
	case <-r.Context().Done():
	case <-s.stop.Done():
	}
}
