package proxy

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"passenger/lib/control"
	"passenger/lib/protocol"
)

// MostLeave is the longest delay before a drain.
const MostLeave = time.Hour

// A departure is a cause to end for, with a delay of its own in place of
// Timeouts.Leave.
type departure struct{ delay time.Duration }

func (departure) Error() string { return "a drain was ordered" }

// leave asks the clients to go while new ones are accepted still, for as long as
// cause or the configuration says. A successor accepts at once, so that nobody has
// to be asked.
func (p *Proxy) leave(cause error) {
	p.leaving.Store(true)
	d := departure{p.Timeouts.Leave}
	_ = errors.As(cause, &d) // a signal leaves it as it is
	if d.delay <= 0 || errors.Is(cause, ErrHandedOver) {
		return
	}
	slog.Info("proxy leaves; it still accepts clients, and tells balancers that it goes", "seconds", d.delay.Seconds())
	p.http2.shutdown(false)
	select {
	case <-time.After(d.delay):
	case <-p.hurried:
	}
}

// leaveOf is the cause that an order to drain gives. If a delay has begun, it ends
// no later than that of the order.
func (p *Proxy) leaveOf(r *control.Request) (error, error) {
	var order protocol.DrainRequest
	if err := control.DecodeOptional(r, &order); err != nil {
		return nil, err
	}
	d := departure{p.Timeouts.Leave}
	if s := order.Delay; s != nil {
		if *s < 0 || *s > MostLeave.Seconds() {
			return nil, &protocol.Error{Code: protocol.CodeBadRequest, Message: fmt.Sprintf("a delay of %g seconds is not from 0 to %g", *s, MostLeave.Seconds())}
		}
		d.delay = seconds(*s)
	}
	time.AfterFunc(d.delay, p.hurry)
	return d, nil
}

// hurry ends a delay that has begun, or one that is about to.
func (p *Proxy) hurry() {
	select {
	case p.hurried <- struct{}{}:
	default:
	}
}
