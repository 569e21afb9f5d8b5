package http2

import "slices"

// An inflow is how much the peer may send us. What was read of it is granted
// anew, a good part at a time.
//
// The window grows up to most as it is read. So a client need not wait whose
// upload is read, and bodies that are not read cannot take the whole window of
// the connection, unless there are very many.
type inflow struct {
	size int // of the window
	most int // that size shall be
	left int // what may come still
	owed int // what was read, and not granted anew yet
	read int // since the window grew
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
	f.read += n
	if f.owed < f.size/4 {
		return 0
	}
	grant, f.owed = f.owed, 0
	if f.read >= f.size && f.size < f.most {
		more := min(f.size, f.most-f.size)
		f.size, f.read = f.size+more, 0
		grant += more
	}
	f.left += grant
	return grant
}

// maxWindow is the largest window: RFC 9113, 6.9.1.
const maxWindow = 1<<31 - 1

// A recent remembers the streams that we ended last while the client may have
// sent to them still: as many as it may have open.
type recent struct {
	ids  []uint32
	next int // where the oldest is, once there are all
}

func (r *recent) add(id uint32) {
	if len(r.ids) < MaxStreams {
		r.ids = append(r.ids, id)
		return
	}
	r.ids[r.next] = id
	r.next = (r.next + 1) % MaxStreams
}

func (r *recent) has(id uint32) bool { return slices.Contains(r.ids, id) }
