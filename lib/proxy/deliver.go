package proxy

import (
	"passenger/lib/proxy/buffering"
)

// deliver gives the client the next of an answer: head, which may be empty, and
// part. What it does not take at once is kept, so that the process need not
// wait; last says that there is none any more. Nothing is held back: what is
// kept goes out as the client takes it.
func (x *exchange) deliver(head, part []byte, last bool) error {
	for {
		if r := x.reserve; r != nil {
			var err error
			if head, part, err = r.PutBoth(head, part, &x.credit); err != nil || len(head)+len(part) == 0 {
				return err
			}
			x.reserve = nil // the client has taken all of it
		}
		n, err := x.offer(head, part, last)
		if err != nil || n == len(head)+len(part) {
			return err
		}
		m := min(n, len(head))
		head, part = head[m:], part[n-m:]
		if done, err := x.insist(head, part, last); done {
			return err
		}
		if last {
			x.credit = buffering.Budget(buffering.MaxBudget) // nobody is held
		}
		x.reserve = x.newReserve()
		head, part = x.reserve.Begin(head, part)
	}
}

// insist writes head and part although that may take long, if nobody else waits
// for it, or if the app wants it so. They lie in buffers that are held
// meanwhile.
func (x *exchange) insist(head, part []byte, last bool) (done bool, err error) {
	if x.mount.mostKept > 0 {
		held, memory := cap(head)+cap(part), &x.client.proxy.memory
		if !last || !memory.Lend(held) {
			return false, nil
		}
		defer memory.GiveBack(held)
	}
	_, err = x.writeBoth(head, part)
	return true, err
}

// settleReserve waits until the client has taken what is kept.
func (x *exchange) settleReserve() error {
	r := x.reserve
	if r == nil {
		return nil
	}
	x.reserve = nil
	return r.Flush()
}

// newReserve returns a buffer for the rest of the answer.
func (x *exchange) newReserve() *buffering.Response {
	a, p := x.mount.app, x.client.proxy
	c := buffering.ResponseConfig{
		Client: &x.client.Conn, Most: x.mount.mostKept, Memory: &p.memory, Dir: p.DataBufferDir, Lease: x.lease(),
		Refused: func(spent *buffering.Share, err error) {
			if spent != nil {
				a.diskSpent(p, spent)
			} else {
				p.unkeptAnswer(err)
			}
		},
	}
	if x.up != nil { // else the interface would hold a nil
		c.From = x.up
	}
	return buffering.NewResponse(c)
}
