package httpcache

import (
	"bytes"
	"math"

	"passenger/lib/http1"
)

// directives are what the Cache-Control fields of a message say, as far as a
// cache that serves nothing stale needs them: RFC 9111, 5.2. Arguments of
// no-cache and private are ignored, which is the safe side.
type directives struct {
	present                 bool // there is such a field
	noStore, noCache        bool
	private, public         bool
	mustRevalidate, ifCache bool // ifCache is only-if-cached

	// Seconds, unset if there is none. One that is not a number is 0 for a limit on
	// age, and most for min-fresh.
	maxAge, sharedAge, minFresh int64
}

const (
	unset      = -1
	mostSecond = math.MaxInt32 // RFC 9111, 1.2.2
)

// controlOf reads the fields of a head.
func controlOf(h *http1.Head) directives {
	d := directives{maxAge: unset, sharedAge: unset, minFresh: unset}
	pragma := false
	for i := range h.Count() {
		switch name := h.Name(i); {
		case http1.EqualFold(name, "cache-control"):
			d.add(h.Value(i))
		case http1.EqualFold(name, "pragma"):
			pragma = pragma || bytes.Contains(bytes.ToLower(h.Value(i)), []byte("no-cache"))
		}
	}
	// RFC 9111, 5.4: for clients that know nothing newer.
	d.noCache = d.noCache || pragma && !d.present
	return d
}

func (d *directives) add(list []byte) {
	d.present = true
	for len(list) > 0 {
		var element []byte
		element, list = http1.CutElement(list)
		name, argument, _ := bytes.Cut(element, []byte{'='})
		name = bytes.TrimSpace(name)
		switch {
		case http1.EqualFold(name, "no-store"):
			d.noStore = true
		case http1.EqualFold(name, "no-cache"):
			d.noCache = true
		case http1.EqualFold(name, "private"):
			d.private = true
		case http1.EqualFold(name, "public"):
			d.public = true
		case http1.EqualFold(name, "must-revalidate"), http1.EqualFold(name, "proxy-revalidate"):
			d.mustRevalidate = true
		case http1.EqualFold(name, "only-if-cached"):
			d.ifCache = true
		case http1.EqualFold(name, "max-age"):
			d.maxAge = stricter(d.maxAge, secondsOf(argument, 0))
		case http1.EqualFold(name, "s-maxage"):
			d.sharedAge = stricter(d.sharedAge, secondsOf(argument, 0))
		case http1.EqualFold(name, "min-fresh"):
			d.minFresh = max(d.minFresh, secondsOf(argument, mostSecond))
		}
	}
}

// stricter is the lower of two limits, of which the first may be unset.
func stricter(a, b int64) int64 {
	if a == unset {
		return b
	}
	return min(a, b)
}

// secondsOf reads a number of seconds, which may be in quotes; invalid if it
// is none.
func secondsOf(b []byte, invalid int64) int64 {
	b = bytes.TrimSpace(b)
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		b = b[1 : len(b)-1]
	}
	if len(b) == 0 {
		return invalid
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return invalid
		}
		n = min(n*10+int64(c-'0'), mostSecond)
	}
	return n
}
