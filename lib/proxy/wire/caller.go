package wire

import (
	"net"
	"syscall"
)

// A Caller is a connection that we opened: we write first, and what comes then
// is the answer. It is always a socket, and calls it without a detour.
type Caller struct {
	Conn
	socket *Socket

	peekFn func(uintptr) // tryPeek, bound once
	calm   bool          // its result

	askFn    func(uintptr) bool // tryAsk, bound once
	asked    bool               // it sent
	question dispatch           // what it sends; others may write when it is whole
	whole    func()             // called then, nil for nothing

	surplus *Buffer // what was read behind an answer
	extra   int     // its length
}

// OpenCaller is Open for a caller.
func (u *Caller) OpenCaller(nc net.Conn, k *Clock) error {
	u.peekFn, u.askFn = u.tryPeek, u.tryAsk
	err := u.Open(nc, k)
	u.socket = u.Socket()
	return err
}

// Quiet reports whether u, which was idle, can carry another request: it is
// open, and the peer has sent nothing unasked, which would be taken for the next
// answer.
func (u *Caller) Quiet() bool {
	u.calm = false
	err := u.socket.raw.Control(u.peekFn)
	return u.calm && err == nil
}

func (u *Caller) tryPeek(fd uintptr) {
	var one [1]byte
	_, errno := receive(fd, one[:], syscall.MSG_PEEK)
	u.calm = errno == syscall.EAGAIN
}

// Ask writes all of p and then all of p2, and waits until there is something
// to read, for ReadWait; late reports that nothing came. It is a write and the
// first, idle half of a read in one: an answer cannot be there yet, so that to
// look for it would be a system call for nothing. whole, nil for nothing, is called
// if all was written at once, before the wait: from then on another goroutine may
// write. It must not wait.
func (u *Caller) Ask(p, p2 []byte, whole func()) (sent int, late bool, err error) {
	t := &u.question
	t.p, t.p2, t.n, t.errno = p, p2, 0, 0
	u.asked, u.whole = false, whole
	err = u.socket.raw.Read(u.askFn)
	p, p2, sent = t.p, t.p2, t.n
	t.p, t.p2, u.whole = nil, nil, nil
	late = u.reading.settle() != nil
	switch {
	case !u.asked:
		return 0, false, err
	case t.errno != 0 && t.errno != syscall.EAGAIN:
		return sent, false, t.errno
	case len(p)+len(p2) > 0:
		n, err := u.WriteBoth(p, p2)
		return sent + n, false, err
	}
	return sent, late, nil // reading tells what else happened
}

// tryAsk sends what the process takes. It returns false to wait.
func (u *Caller) tryAsk(fd uintptr) (done bool) {
	if u.asked {
		return true
	}
	u.asked = true
	t := &u.question
	n, errno := t.send(fd)
	if t.errno = errno; errno != 0 {
		return true
	}
	t.advance(n)
	u.Sent += int64(n)
	if len(t.p)+len(t.p2) > 0 {
		return true
	}
	// The runtime has forgotten what it knew of u before it called us, so it
	// will tell of all that comes from now on.
	u.reading.by.Store(u.Clock.After(u.ReadWait))
	if u.whole != nil {
		u.whole()
	}
	return false
}

// Keep keeps a copy of p, which was read behind an answer, for the next one, which
// ReadAnswer reads.
func (u *Caller) Keep(p []byte) {
	u.surplus = TakeBuffer(len(p))
	u.extra = copy(u.surplus.B, p)
}

// ReadAnswer is ReadLazily for what was kept and comes then.
func (u *Caller) ReadAnswer(size int) (*Buffer, int, error) {
	if b := u.surplus; b != nil {
		u.surplus = nil
		return b, u.extra, nil
	}
	return u.ReadLazily(size)
}

// Cut ends the reading of a unix socket, so that what the peer writes from now on
// fails, and says whether it had written something that was not read.
func (u *Caller) Cut() (unread bool) {
	_ = u.socket.raw.Control(func(fd uintptr) {
		_ = syscall.Shutdown(int(fd), syscall.SHUT_RD) // the peer may be gone; there is no more then
		var one [1]byte
		n, errno := receive(fd, one[:], syscall.MSG_PEEK)
		unread = errno == 0 && n > 0
	})
	return unread || u.surplus != nil
}
