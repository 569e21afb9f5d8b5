package page

import (
	"sync/atomic"
	"time"
)

// Dates holds the present second as text, which costs more to make than all
// else in a short answer.
type Dates struct{ newest atomic.Pointer[date] }

type date struct {
	second int64
	http   []byte
}

// At is a time as a Date field has it: RFC 9110, 5.6.7.
func (d *Dates) At(t time.Time) []byte {
	if v := d.newest.Load(); v != nil && v.second == t.Unix() {
		return v.http
	}
	v := &date{second: t.Unix(), http: t.UTC().AppendFormat(nil, "Mon, 02 Jan 2006 15:04:05 GMT")}
	d.newest.Store(v)
	return v.http
}
