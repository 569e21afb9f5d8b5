package http2

// An inflow is how much the peer may send us. What was read of it is granted
// anew, a good part at a time.
type inflow struct {
	size int // of the window
	left int // what may come still
	owed int // what was read, and not granted anew yet
}

// take counts n bytes that came, and says if they were allowed.
func (f *inflow) take(n int) bool {
	f.left -= n
	return f.left >= 0
}

// give counts n bytes that were read. It returns what to grant the peer now, 0
// for nothing yet.
func (f *inflow) give(n int) (grant int) {
	f.owed += n
	if f.owed < f.size/4 {
		return 0
	}
	grant, f.owed = f.owed, 0
	f.left += grant
	return grant
}

// maxWindow is the largest window: RFC 9113, 6.9.1.
const maxWindow = 1<<31 - 1

// A recent remembers the streams that we ended last while the client may have
// sent to them still.
type recent struct {
	ids  [32]uint32
	next int
}

func (r *recent) add(id uint32) {
	r.ids[r.next%len(r.ids)] = id
	r.next++
}

func (r *recent) has(id uint32) bool {
	for _, v := range r.ids {
		if v == id {
			return true
		}
	}
	return false
}
