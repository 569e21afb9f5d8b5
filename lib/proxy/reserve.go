package proxy

import (
	"sync"
	"time"

	"passenger/lib/bug"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/wire"
)

// A reserve holds what a client has not taken yet of an answer, so that its
// process need not wait for it: the first of it in memory, if there is some to
// have, the rest in a file without a name. It exists only while there is
// something to hold, and so does its goroutine, which writes to the client
// meanwhile.
//
// The exchange puts bytes in and the goroutine takes them out.
type reserve struct {
	client *client
	app    *app
	dir    string // for the file
	most   int64  // the high-water mark, in bytes; at least a large buffer
	moved  chan struct{}
	done   chan struct{} // closed at the end

	mu     sync.Mutex
	memory *wire.Buffer // a ring: length bytes from head on
	head   int
	length int
	lent   int               // bytes of memory that are from the proxy's
	file   *files.Ring       // what follows; nil if there never was such
	lease  lease             // of the file
	broken bool              // the file takes no more
	taken  int               // bytes that the client took since the exchange asked
	up     *balance.Upstream // whose answer it is; nil once that is whole
	err    error             // why the client takes no more
	over   bool              // the client took all, or never will
}

// newReserve returns a reserve for the answer that comes from up, nil if that is
// whole. It is to be filled and then run. When the proxy's memory is lent to
// others, all but a little goes to the file.
func newReserve(c *client, a *app, up *balance.Upstream, most int64) *reserve {
	r := &reserve{
		client: c, app: a, dir: c.proxy.DataBufferDir, most: most, up: up, lease: newLease(c, a),
		moved: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if c.proxy.memory.lend(wire.Large) {
		r.memory, r.lent = wire.TakeBuffer(wire.Large), wire.Large
	} else {
		r.memory = wire.TakeBuffer(wire.Small)
	}
	return r
}

// begin fills r and runs it, and returns what it had no memory for.
func (r *reserve) begin(head, part []byte) (leftHead, leftPart []byte) {
	head = head[r.remember(head):]
	if len(head) == 0 {
		part = part[r.remember(part):]
	}
	go r.run()
	return head, part
}

// putBoth is put for p and then p2.
func (r *reserve) putBoth(p, p2 []byte, c *credit) (left, left2 []byte, err error) {
	if left, err = r.put(p, c); len(left) == 0 && err == nil {
		left2, err = r.put(p2, c)
		return nil, left2, err
	}
	return left, p2, err
}

// put keeps p, which it copies. At the high-water mark it waits until half is
// taken; before anything goes to the file it waits for as long as c allows. If
// the client took everything in between, put returns what it has not kept.
func (r *reserve) put(p []byte, c *credit) (left []byte, err error) {
	for len(p) > 0 {
		r.mu.Lock()
		if r.over {
			r.mu.Unlock()
			return p, r.err
		}
		n := r.remember(p)
		full, inFile := r.broken || r.kept() >= r.most, r.file.Length() > 0
		c.earn(r.taken)
		r.taken = 0
		r.mu.Unlock()
		switch p = p[n:]; {
		case n > 0:
		case full:
			r.awaitHalf()
		case !inFile && r.await(c):
		default:
			p = p[r.spill(p):]
		}
	}
	return nil, nil
}

// remember keeps in memory what there is room for, if nothing is in the file
// that comes first.
func (r *reserve) remember(p []byte) (n int) {
	if r.file.Length() > 0 {
		return 0
	}
	ring := r.memory.B
	room := len(ring) - r.length
	for n < len(p) && room > 0 {
		at := (r.head + r.length) % len(ring)
		m := copy(ring[at:min(at+room, len(ring))], p[n:])
		n, room, r.length = n+m, room-m, r.length+m
	}
	return n
}

func (r *reserve) kept() int64 { return int64(r.length) + r.file.Length() }

// spill keeps in the file what there is room for. A disk that takes no more is
// left alone for the rest of the answer.
func (r *reserve) spill(p []byte) int {
	r.mu.Lock()
	file, room := r.file, r.most-r.kept()
	r.mu.Unlock()
	p = p[:min(int64(len(p)), room)]
	spent := r.lease.grow(file.Growth(len(p)))
	var err error
	if file == nil && spent == nil {
		file, err = files.NewRing(r.dir, r.most)
	}
	n := 0
	if err == nil && spent == nil {
		n, err = file.Write(p)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.file = file
	if r.over {
		file.Close()
		r.lease.end()
		return 0 // the client took all the rest meanwhile, or left
	}
	if n > 0 {
		file.Commit(n)
	}
	switch r.broken = err != nil || spent != nil; {
	case spent != nil:
		r.app.diskSpent(r.client.proxy, spent)
	case err != nil:
		r.client.proxy.unkeptAnswer(err)
	}
	return n
}

// await waits for the client to take something for as long as c allows, and
// says whether it did.
func (r *reserve) await(c *credit) bool {
	if *c <= 0 {
		return false
	}
	began := time.Now()
	defer func() { c.spend(time.Since(began)) }()
	t := time.NewTimer(time.Duration(*c))
	defer t.Stop()
	select {
	case <-r.moved:
		return true
	case <-t.C:
		return false
	}
}

// awaitHalf waits until the client has taken half of what may be kept.
func (r *reserve) awaitHalf() {
	for {
		r.mu.Lock()
		low := r.kept() <= r.most/2
		if r.broken {
			low = r.file.Length() == 0 && r.length <= len(r.memory.B)/2
		}
		over := r.over || r.err != nil
		r.mu.Unlock()
		if low || over {
			return
		}
		<-r.moved
	}
}

// run writes to the client what is kept, until nothing is.
func (r *reserve) run() {
	defer close(r.done)
	defer bug.Caught(func() { r.took(0, errBug); r.next() })
	for p := r.next(); p != nil; p = r.next() {
		n, err := r.client.WriteBoth(p, nil)
		r.took(n, err)
	}
}

// next returns bytes that are to be written, nil if there are none. Then the
// reserve is over.
func (r *reserve) next() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.length == 0 && r.err == nil && r.file.Length() > 0 {
		r.head = 0
		if r.length, r.err = r.file.Read(r.memory.B); r.err != nil {
			r.interrupt()
		}
	}
	if r.length == 0 || r.err != nil {
		r.over = true
		r.memory.Free()
		r.client.proxy.memory.giveBack(r.lent)
		r.file.Close()
		r.lease.end()
		r.signal()
		return nil
	}
	return r.memory.B[r.head:min(r.head+r.length, len(r.memory.B))]
}

// took notes that the client took n bytes, and why it takes no more.
func (r *reserve) took(n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head = (r.head + n) % len(r.memory.B)
	r.length -= n
	r.taken += n
	if r.err = err; err != nil {
		r.interrupt()
	}
	r.signal()
}

// signal wakes the exchange if it waits for room.
func (r *reserve) signal() {
	select {
	case r.moved <- struct{}{}:
	default:
	}
}

// interrupt ends the exchange's wait for the process.
func (r *reserve) interrupt() {
	if r.up != nil {
		r.up.Interrupt()
	}
}

// failed says that the client takes no more.
func (r *reserve) failed() bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err != nil
}

// leave parts from the process's connection, whose answer is whole, and says
// whether it is as good as before.
func (r *reserve) leave() (good bool) {
	if r == nil {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.up = nil
	return r.err == nil
}

// flush waits until the client has taken everything.
func (r *reserve) flush() error {
	<-r.done
	return r.err
}
