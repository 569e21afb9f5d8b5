package http1

import "strings"

// What a head may consist of, for those that make one from elsewhere.

// ValidName reports whether b may be a field's name, or a method.
func ValidName(b []byte) bool { return len(b) > 0 && all(b, isToken) }

// ValidValue reports whether b may be a field's value: it has no control
// character but tabs, and neither begins nor ends with a blank.
func ValidValue(b []byte) bool { return len(trim(b)) == len(b) && validValue(b) }

// ValidTarget reports whether b may be a request's target. Its form is for
// [Request.Parse] to judge.
func ValidTarget(b []byte) bool { return len(b) > 0 && all(b, isTarget) }

// Number reads a decimal number without sign, as Content-Length is one. It
// returns -1 if b is none, or over 18 digits.
func Number(b []byte) int64 { return number(b) }

// Only reports whether b has no other bytes than those of set.
func Only(b []byte, set string) bool {
	for _, c := range b {
		if strings.IndexByte(set, c) < 0 {
			return false
		}
	}
	return true
}
