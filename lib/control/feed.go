package control

import "sync"

// A Source is something that can be watched.
type Source interface {
	// Newest returns the newest value and a channel that is closed when there
	// is a newer one.
	Newest() (value any, changed <-chan struct{})
}

// A Feed holds the newest value of T for those who watch it. The zero Feed
// holds the zero T.
type Feed[T any] struct {
	mu      sync.Mutex // guards the fields below
	value   T
	changed chan struct{} // nil until somebody waits
}

// Set replaces the value and wakes those who wait. The value must not be
// changed afterwards.
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
