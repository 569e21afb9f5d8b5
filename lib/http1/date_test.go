package http1

import (
	"testing"
	"time"
)

func TestDates(t *testing.T) {
	t.Parallel()
	want := time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
	for _, text := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
		"sun, 06 NOV 1994 08:49:37 gmt", "SUNDAY, 06-nov-94 08:49:37 Gmt",
	} {
		if got, ok := ParseDate([]byte(text)); !ok || !got.Equal(want) {
			t.Errorf("%q: got %v, %v", text, got, ok)
		}
	}
	for text, want := range map[string]time.Time{
		"Thu, 31 Dec 1998 23:59:60 GMT":     time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), // a leap second
		"Sun Nov 16 08:49:37 1994":          time.Date(1994, 11, 16, 8, 49, 37, 0, time.UTC),
		"Fri, 31 Dec 9999 23:59:59 GMT":     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		"Wednesday, 29-Feb-12 00:00:00 GMT": time.Date(2012, 2, 29, 0, 0, 0, 0, time.UTC),
	} {
		if got, ok := ParseDate([]byte(text)); !ok || !got.Equal(want) {
			t.Errorf("%q: got %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "0", "-1", "never", "Sun, 06 Nov 1994", "1994-11-06T08:49:37Z", "784111777",
		"Sun, 06 Nov 1994 8:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun,  06 Nov 1994 08:49:37 GMT", "Sun, 06  Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov  1994 08:49:37 GMT", "Sun, 06 Nov 1994  08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37  GMT",
		"Sun, 06 Nov 1994  8:49:37 GMT", "Sun, 06 Nov 1994 +8:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 PST", "Sun, 06 Nov 1994 08:49:37 +00", "Sun, 06 Nov 1994 08:49:37",
		"Sun 06 Nov 1994 08:49:37 GMT", "Sun, 06-Nov-1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 06-Nov-94 08:49:37 GMT",
		"Xyz, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nox 1994 08:49:37 GMT", "Sunday, 06 Nov 1994 08:49:37 GMT",
		"Sun, 31 Jun 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1994 08.49.37 GMT",
		"Sunday,  06-Nov-94 08:49:37 GMT", "Sunday, 06-Nov-94 8:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 PST", "Someday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov 6 08:49:37 1994", "Sun Nov 06 8:49:37 1994", "Sun  Nov 6 08:49:37 1994", "Sun Nov  6 08:49:37 1994 GMT",
		"Sun, 31 Nov 2044 08:49:37 GMT", "Wed, 29 Feb 2045 08:49:37 GMT", "Wednesday, 29-Feb-45 08:49:37 GMT", "Sun Nov 31 08:49:37 2044",
	} {
		// Who does not ask takes the zero time for long ago.
		if got, ok := ParseDate([]byte(text)); ok || !got.IsZero() {
			t.Errorf("%q: got %v", text, got)
		}
	}
}

// A year of two digits that seems to be over 50 years away was in the century
// before: RFC 9110, 5.6.7.
func TestDatesWithTwoDigitsOfTheYear(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	for years, want := range map[int]int{0: 0, 49: 49, 51: 51 - 100} {
		at := now.AddDate(years, 0, 0)
		at = time.Date(at.Year(), 6, 15, 1, 2, 3, 0, time.UTC)
		if years != 0 && now.Year() >= 2048 {
			t.Skip("the test knows this century only")
		}
		got, ok := ParseDate([]byte(at.Format("Monday, 02-Jan-06 15:04:05 GMT")))
		if !ok || got.Year() != now.Year()+want {
			t.Errorf("in %d years: got %v, %v", years, got, ok)
		}
	}
}

func FuzzDate(f *testing.F) {
	for _, text := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "0"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		at, ok := ParseDate(b)
		if !ok {
			if !at.IsZero() {
				t.Errorf("%q: got %v of what is no date", b, at)
			}
			return
		}
		again, ok := ParseDate([]byte(at.Format("Mon, 02 Jan 2006 15:04:05 GMT")))
		if !ok || !again.Equal(at) {
			t.Errorf("%q: got %v, and %v when it was written anew", b, at, again)
		}
	})
}
