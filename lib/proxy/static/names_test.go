package static

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestDatesAreThoseOfHTTP(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2026-11-23T03:04:05Z", "0999-12-31T10:20:30Z", "9999-12-31T23:59:59Z"} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		for d := range 14 {
			at := at.AddDate(0, -d, -d).In(time.FixedZone("", d*3600))
			if got, want := string(appendHTTPTime(nil, at)), at.UTC().Format(http.TimeFormat); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
	far := time.Date(12345, 1, 2, 3, 4, 5, 0, time.UTC)
	if got, want := string(appendHTTPTime(nil, far)), far.Format(http.TimeFormat); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFingerprintedNames(t *testing.T) {
	t.Parallel()
	pattern, mixed := regexp.MustCompile(`[-.]([0-9a-f]{8,64})\.[^/]*$`), regexp.MustCompile(`[a-f][0-9]|[0-9][a-f]`)
	for _, name := range []string{
		"app-0123456789abcdef.js", "app.01234567.js", "app-0123456.js", "app-01234567", "app-01234567.", "app-0123456X.js", "a-b-01234567.js.map",
		"app-01234567.js/x", "01234567.js", "-01234567.js", "x/app-01234567.css", "app-" + strings.Repeat("a", 64) + ".js", "app-" + strings.Repeat("a", 65) + ".js",
		"app-ABCDEF01.js", "a.0123-01234567.js", "app-0123456f.js", "a.0f23-0123456e.js.map", "app-fabaceae.js", "app-20261123.20261123aa.js", "", ".", "-", "app_01234567.js",
	} {
		want := false
		for i := range name { // matches overlap
			if m := pattern.FindStringSubmatchIndex(name[i:]); m != nil && m[0] == 0 {
				want = want || mixed.MatchString(name[i:][m[2]:m[3]])
			}
		}
		if got := fingerprinted([]byte(name)); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestAcceptedCodings(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]bool{
		"br": true, "gzip, br": true, "BR": true, "br;q=0.5": true, "br; q=0.001": true, "br;q=1": true, "br ; Q=1.000": true, "br;q=": false,
		"br;q=0": false, "br;q=0.000": false, "br; q=0.0": false, "gzip": false, "": false, "xbr": false, "brx": false, "*": false, ", ,br": true,
	} {
		if got := accepts([]byte(list), "br"); got != want {
			t.Errorf("%q: got %v, want %v", list, got, want)
		}
	}
}
