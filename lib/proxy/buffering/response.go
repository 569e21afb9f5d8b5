package buffering

import (
	"errors"
	"sync"
	"time"

	"passenger/lib/bug"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/wire"
)

// errBroken ends what a bug of ours broke.
var errBroken = errors.New("internal error")

// A Response buffer holds what a client has not taken yet of an answer, so that
// its process need not wait for it: the first of it in memory, if there is some to
// have, the rest in a file without a name. It exists only while there is
// something to hold, and so does its goroutine, which writes to the client
// meanwhile.
//
// The goroutine that reads the answer puts bytes in, its own takes them out.
type Response struct {
	ResponseConfig
	moved chan struct{}
	done  chan struct{} // closed at the end

	mu     sync.Mutex
	memory *wire.Buffer // a ring: length bytes from head on
	head   int
	length int
	lent   int         // bytes of memory that are from the proxy's
	file   *files.Ring // what follows; nil if nothing ever did
	broken bool        // the file takes no more
	taken  int         // bytes that the client took since the exchange asked
	err    error       // why the client takes no more
	over   bool        // the client took all, or never will
}

// A ResponseConfig says whose answer a buffer is for, and what it may use.
type ResponseConfig struct {
	Client *wire.Conn
	From   Interrupter // the process's connection; nil once the answer is whole
	Most   int64       // the high-water mark, in bytes; at least a large buffer
	Memory *Memory
	Dir    string // for the file
	Lease  *Lease // of the file

	// Refused is told why the file takes no more: because a share is spent, or
	// else of an error. The buffer's mutex is held.
	Refused func(spent *Share, err error)
}

// An Interrupter can be made to end its reads and writes at once.
type Interrupter interface{ Interrupt() }

// NewResponse returns an empty buffer, for [Response.Begin] to fill. When the
// memory is lent to others, all but a little goes to the file.
func NewResponse(c ResponseConfig) *Response {
	r := &Response{ResponseConfig: c, moved: make(chan struct{}, 1), done: make(chan struct{})}
	if c.Memory.Lend(wire.Large) {
		r.memory, r.lent = wire.TakeBuffer(wire.Large), wire.Large
	} else {
		r.memory = wire.TakeBuffer(wire.Small)
	}
	return r
}

// Begin fills r and runs it, and returns what it had no memory for.
func (r *Response) Begin(head, part []byte) (leftHead, leftPart []byte) {
	head = head[r.remember(head):]
	if len(head) == 0 {
		part = part[r.remember(part):]
	}
	go r.run()
	return head, part
}

// PutBoth puts p and then p2; see put.
func (r *Response) PutBoth(p, p2 []byte, c *Budget) (left, left2 []byte, err error) {
	if left, err = r.put(p, c); len(left) == 0 && err == nil {
		left2, err = r.put(p2, c)
		return nil, left2, err
	}
	return left, p2, err
}

// put keeps p, which it copies. At the high-water mark it waits until half is
// taken; before anything goes to the file it waits for as long as c allows. If
// the client took everything in between, put returns what it has not kept.
func (r *Response) put(p []byte, c *Budget) (left []byte, err error) {
	for len(p) > 0 {
		r.mu.Lock()
		if r.over {
			r.mu.Unlock()
			return p, r.err
		}
		n := r.remember(p)
		full, inFile := r.broken || r.kept() >= r.Most, r.file.Length() > 0
		c.Earn(r.taken)
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
func (r *Response) remember(p []byte) (n int) {
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

func (r *Response) kept() int64 { return int64(r.length) + r.file.Length() }

// spill keeps in the file what there is room for. A disk that takes no more is
// left alone for the rest of the answer.
func (r *Response) spill(p []byte) int {
	r.mu.Lock()
	file, room := r.file, r.Most-r.kept()
	r.mu.Unlock()
	p = p[:min(int64(len(p)), room)]
	spent := r.Lease.grow(file.Growth(len(p)))
	var err error
	if file == nil && spent == nil {
		file, err = files.NewRing(r.Dir, r.Most)
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
		r.Lease.end()
		return 0 // the client took all the rest meanwhile, or left
	}
	if n > 0 {
		file.Commit(n)
	}
	if r.broken = err != nil || spent != nil; r.broken {
		r.Refused(spent, err)
	}
	return n
}

// await waits for the client to take something for as long as c allows, and
// says whether it did.
func (r *Response) await(c *Budget) bool {
	if *c <= 0 {
		return false
	}
	began := time.Now()
	defer func() { c.Spend(time.Since(began)) }()
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
func (r *Response) awaitHalf() {
	for {
		r.mu.Lock()
		low := r.kept() <= r.Most/2
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
func (r *Response) run() {
	defer close(r.done)
	defer bug.Caught(func() { r.took(0, errBroken); r.next() })
	for p := r.next(); p != nil; p = r.next() {
		n, err := r.Client.WriteBoth(p, nil)
		r.took(n, err)
	}
}

// next returns bytes that are to be written, nil if there are none. Then the
// reserve is over.
func (r *Response) next() []byte {
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
		r.Memory.GiveBack(r.lent)
		r.file.Close()
		r.Lease.end()
		r.signal()
		return nil
	}
	return r.memory.B[r.head:min(r.head+r.length, len(r.memory.B))]
}

// took notes that the client took n bytes, and why it takes no more.
func (r *Response) took(n int, err error) {
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
func (r *Response) signal() {
	select {
	case r.moved <- struct{}{}:
	default:
	}
}

// interrupt ends the exchange's wait for the process.
func (r *Response) interrupt() {
	if r.From != nil {
		r.From.Interrupt()
	}
}

// Failed says that the client takes no more.
func (r *Response) Failed() bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err != nil
}

// Leave parts from the process's connection, whose answer is whole, and says
// whether it is as good as before.
func (r *Response) Leave() (good bool) {
	if r == nil {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.From = nil
	return r.err == nil
}

// Flush waits until the client has taken everything.
func (r *Response) Flush() error {
	<-r.done
	return r.err
}
