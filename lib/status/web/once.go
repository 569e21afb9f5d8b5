package web

import (
	"context"
	"sync"
	"time"
)

// fresh is how old an answer may be. However many ask, the daemons are asked once
// a second.
const fresh = time.Second

// A once is an answer that is asked for once, by whoever comes first, and is good
// for all who come within [fresh].
type once[T any] struct {
	ask func() T

	mu     sync.Mutex // guards the fields below
	value  T
	at     time.Time     // of the value, the zero time if there is none
	asking chan struct{} // closed when the answer is there, nil while nobody asks
}

// get returns an answer that is fresh, or the error of a caller who went away.
func (o *once[T]) get(ctx context.Context) (T, error) {
	o.mu.Lock()
	if !o.at.IsZero() && time.Since(o.at) < fresh {
		defer o.mu.Unlock()
		return o.value, nil
	}
	done := o.begin()
	o.mu.Unlock()
	select {
	case <-done:
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.value, nil
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// start asks unless there is an answer that is fresh, and does not wait: whoever
// needs several answers starts them all before it waits for the first, so that one
// silent daemon costs its patience once.
func (o *once[T]) start() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.at.IsZero() || time.Since(o.at) >= fresh {
		o.begin()
	}
}

// begin asks unless somebody does. o.mu is held.
func (o *once[T]) begin() (answered <-chan struct{}) {
	if o.asking == nil {
		o.asking = make(chan struct{})
		go o.run()
	}
	return o.asking
}

// run asks. It goes on when the one who came first has gone: others wait.
func (o *once[T]) run() {
	value := o.ask()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.value, o.at = value, time.Now()
	close(o.asking)
	o.asking = nil
}
