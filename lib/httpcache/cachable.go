package httpcache

import (
	"time"

	"passenger/lib/http1"
)

const (
	maxCachedHead = 4 << 10  // bytes of an answer's fields, as Passenger has it
	maxCachedBody = 32 << 10 // and of its body
)

// A freshness says how long an answer may be used: RFC 9111, 4.2. Both are in
// seconds, and age is what it was when the answer came.
type freshness struct{ lifetime, age int64 }

// storable says whether a shared cache may keep the answer r to the GET q, and
// for how long: RFC 9111, 3. asked is what q's Cache-Control said. q was sent
// at sent, and r's head came at came.
func storable(q *http1.Request, asked directives, r *http1.Response, sent, came time.Time) (f freshness, ok bool) {
	if asked.noStore || !keptStatus(r.Status) || r.Len > maxCachedHead || r.ContentLength > maxCachedBody {
		return f, false
	}
	control := controlOf(&r.Head)
	if control.noStore || control.noCache || control.private {
		return f, false
	}
	if q.FindName("authorization") != nil && !control.public && !control.mustRevalidate && control.sharedAge == unset {
		return f, false // RFC 9111, 3.5
	}
	var t timing
	for i := range r.Count() {
		if unkept(r.Name(i)) || !t.note(r.Name(i), r.Value(i)) {
			return f, false
		}
	}
	f = freshness{lifetime: t.lifetime(&control, came), age: t.age(sent, came)}
	return f, f.lifetime > f.age
}

// keptStatus are the statuses that may be cached without being told so, but
// for 206, of which this cache knows nothing.
func keptStatus(status int) bool {
	switch status {
	case 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// unkept are the fields of answers that are for one client, or not the answer
// itself.
func unkept(name []byte) bool {
	for _, f := range [...]string{"set-cookie", "www-authenticate", "x-sendfile", "x-accel-redirect", "trailer", "content-range"} {
		if http1.EqualFold(name, f) {
			return true
		}
	}
	return false
}

// A timing is what an answer's fields say of when it was made and until when
// it is good; zero times for those that are missing.
type timing struct {
	date, expires time.Time
	limited       bool // there is an Expires
	aged          bool // and an Age
	ageValue      int64
}

// note takes a field in. ok is false for one that makes no sense twice.
func (t *timing) note(name, value []byte) (ok bool) {
	switch {
	case http1.EqualFold(name, "date"):
		t.date, _ = http1.ParseDate(value) // an invalid one is none
	case http1.EqualFold(name, "expires"):
		if t.limited {
			return false
		}
		t.limited = true
		t.expires, _ = http1.ParseDate(value) // an invalid one, such as "0", is long ago: RFC 9111, 5.3
	case http1.EqualFold(name, "age"):
		if t.aged {
			return false
		}
		t.aged, t.ageValue = true, secondsOf(value, mostSecond)
	}
	return true
}

// lifetime is the freshness lifetime, in seconds: RFC 9111, 4.2.1. An answer
// that says nothing of it is good for none: frameworks say public, and when it
// was modified, of what they want to be asked for each time.
func (t *timing) lifetime(control *directives, came time.Time) int64 {
	date := t.date
	if date.IsZero() {
		date = came
	}
	switch {
	case control.sharedAge != unset:
		return control.sharedAge
	case control.maxAge != unset:
		return control.maxAge
	case t.limited:
		return int64(t.expires.Sub(date) / time.Second)
	}
	return 0
}

// age is the corrected initial age, in seconds: RFC 9111, 4.2.3.
func (t *timing) age(sent, came time.Time) int64 {
	var apparent time.Duration
	if !t.date.IsZero() {
		apparent = max(came.Sub(t.date), 0)
	}
	return max(int64(apparent/time.Second), t.ageValue+int64(came.Sub(sent)/time.Second))
}
