package proxy

import (
	"passenger/lib/proxy/buffering"
)

// deliver gives the client the next of an answer: head, which may be empty, and
// part. What it does not take at once is kept, so that the process need not
// wait; last says that there is none any more. Nothing is held back: what is
// kept goes out as the client takes it.
func (a *answer) deliver(head, part []byte, last bool) error {
	for {
		if r := a.buffer; r != nil {
			var err error
			if head, part, err = r.PutBoth(head, part, &a.budget); err != nil || len(head)+len(part) == 0 {
				return err
			}
			a.buffer = nil // the client has taken all of it
		}
		n, err := a.offer(head, part, last)
		if err != nil || n == len(head)+len(part) {
			return err
		}
		m := min(n, len(head))
		head, part = head[m:], part[n-m:]
		if done, err := a.insist(head, part, last); done {
			return err
		}
		if last {
			a.budget = buffering.Budget(buffering.MaxBudget) // no process is held
		}
		a.buffer = a.overflow()
		head, part = a.buffer.Begin(head, part)
	}
}

// insist writes head and part although that may take long, if no process waits
// for it, or if the app wants it so. They lie in buffers that are held
// meanwhile.
func (a *answer) insist(head, part []byte, last bool) (done bool, err error) {
	if a.req.mount.mostKept > 0 {
		held, memory := cap(head)+cap(part), &a.req.client.proxy.memory
		if !last || !memory.Lend(held) {
			return false, nil
		}
		defer memory.GiveBack(held)
	}
	_, err = a.writeBoth(head, part)
	return true, err
}

// awaitBuffer waits until the client has taken what is kept.
func (a *answer) awaitBuffer() error {
	r := a.buffer
	if r == nil {
		return nil
	}
	a.buffer = nil
	return r.Flush()
}

// newBuffer returns a buffer for the rest of the answer.
func (x *exchange) newBuffer() *buffering.Response {
	a, p := x.req.mount.app, x.client.proxy
	c := buffering.ResponseConfig{
		Client: &x.client.Conn, Most: x.req.mount.mostKept, Memory: &p.memory, Dir: p.DataBufferDir, Lease: x.body.lease(buffering.NewAnswerLease),
		Refused: func(spent *buffering.Share, err error) {
			if spent != nil {
				a.diskSpent(p, spent)
			} else {
				p.unkeptAnswer(err)
			}
		},
	}
	if x.session.up != nil { // else the interface would hold a nil
		c.From = x.session.up
	}
	return buffering.NewResponse(c)
}
