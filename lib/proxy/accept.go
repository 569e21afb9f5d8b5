package proxy

import (
	"bytes"

	"passenger/lib/http1"
)

// A form is how a page of ours is written.
type form uint8

const (
	asHTML form = iota
	asJSON
	asText
)

// wantedForm is the form of pages that a request's Accept likes best, of equals
// the first in the order above. Without preference it is HTML, but for a request
// that brings JSON itself.
func wantedForm(q *http1.Request) form {
	best, most := asHTML, 0
	for list := q.Find(http1.Accept); len(list) > 0; {
		var element []byte
		element, list = http1.NextToken(list)
		f, ok := formOf(element)
		if weight := weightOf(element); ok && (weight > most || weight == most && f < best) {
			best, most = f, weight
		}
	}
	if most == 0 {
		if f, ok := formOf(q.Find(http1.ContentType)); ok && f == asJSON {
			return asJSON
		}
	}
	return best
}

// formOf is the form of a media type. ok is false for those that pages do not
// have, and for all of them together.
func formOf(kind []byte) (f form, ok bool) {
	kind, _, _ = bytes.Cut(kind, []byte{';'})
	kind = bytes.ToLower(bytes.TrimSpace(kind))
	switch {
	case string(kind) == "text/html", string(kind) == "application/xhtml+xml", string(kind) == "text/*":
		return asHTML, true
	case string(kind) == "application/json", string(kind) == "application/*", bytes.HasSuffix(kind, []byte("+json")):
		return asJSON, true
	case string(kind) == "text/plain":
		return asText, true
	}
	return asHTML, false
}

// weightOf is the weight of an element of a list, in thousandths: RFC 9110,
// 12.4.2. One that makes no sense is none.
func weightOf(element []byte) int {
	_, parameters, _ := bytes.Cut(element, []byte{';'})
	for len(parameters) > 0 {
		var p []byte
		p, parameters, _ = bytes.Cut(parameters, []byte{';'})
		name, value, _ := bytes.Cut(bytes.TrimSpace(p), []byte{'='})
		if !http1.EqualFold(bytes.TrimSpace(name), "q") {
			continue
		}
		weight, unit := 0, 1000
		for i, c := range bytes.TrimSpace(value) {
			switch {
			case c >= '0' && c <= '9' && i != 1 && unit > 0:
				weight += int(c-'0') * unit
				unit /= 10
			case c != '.' || i != 1:
				return 0
			}
		}
		return min(weight, 1000)
	}
	return 1000
}
