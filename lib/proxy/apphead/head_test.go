package apphead

import (
	"testing"

	"passenger/lib/http1"
)

func TestWhatFollowsTheHost(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"GET /a?b": "/a?b", "GET http://a": "/", "GET http://a/b?c": "/b?c", "GET http://a?b": "/?b", "OPTIONS *": "", "OPTIONS http://a": "", "OPTIONS http://a/": "/",
	} {
		var q http1.Request
		q.Reset()
		if _, err := q.Parse([]byte(line + " HTTP/1.1\r\nHost: a\r\n\r\n")); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got := string(AppendPlace(nil, &q)); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}
