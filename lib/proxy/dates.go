package proxy

import (
	"sync/atomic"
	"time"
)

// dates holds the present second as text, which costs more to make than all
// else in a short answer.
type dates struct{ newest atomic.Pointer[date] }

// A date is a second in the forms that are asked for.
type date struct {
	second int64
	http   []byte // of a Date field, RFC 9110, 5.6.7
	common []byte // of Apache's logs, in the local time
	iso    []byte // ISO 8601 in UTC, up to the second and without a zone
}

// date is the present second as a Date field has it. Most requests are over
// before the clock ticks, and spare the system's.
func (x *exchange) date() []byte {
	p, now := x.client.proxy, x.began
	if p.clock.now.Load() != x.tick {
		now = time.Now()
	}
	return p.dates.at(now).http
}

func (d *dates) at(t time.Time) *date {
	if v := d.newest.Load(); v != nil && v.second == t.Unix() {
		return v
	}
	utc := t.UTC()
	v := &date{
		second: t.Unix(),
		http:   utc.AppendFormat(nil, "Mon, 02 Jan 2006 15:04:05 GMT"),
		common: t.AppendFormat(nil, "02/Jan/2006:15:04:05 -0700"),
		iso:    utc.AppendFormat(nil, "2006-01-02T15:04:05"),
	}
	d.newest.Store(v)
	return v
}
