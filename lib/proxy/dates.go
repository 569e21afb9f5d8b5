package proxy

import (
	"sync/atomic"
	"time"
)

// dates holds the present second as text, which costs more to make than all
// else in a short answer.
type dates struct{ newest atomic.Pointer[date] }

// A date is a second as a Date field has it: RFC 9110, 5.6.7.
type date struct {
	second int64
	http   []byte
}

// date is the present second as a Date field has it. Most requests are over
// before the clock ticks, and spare the system's.
func (q *request) date() []byte {
	p, now := q.client.proxy, q.began
	if p.clock.Now.Load() != q.tick {
		now = time.Now()
	}
	return p.dates.at(now).http
}

func (d *dates) at(t time.Time) *date {
	if v := d.newest.Load(); v != nil && v.second == t.Unix() {
		return v
	}
	v := &date{second: t.Unix(), http: t.UTC().AppendFormat(nil, "Mon, 02 Jan 2006 15:04:05 GMT")}
	d.newest.Store(v)
	return v
}
