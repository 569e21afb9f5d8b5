package http1

import (
	"strings"
	"testing"
)

func TestMalformedResponsesAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no protocol":          "200 OK\r\n\r\n",
		"body only":            "hello",
		"other protocol":       "HTTP/2.0 200 OK\r\n\r\n",
		"version 1.2":          "HTTP/1.2 200 OK\r\n\r\n",
		"no status":            "HTTP/1.1 \r\n\r\n",
		"two digits":           "HTTP/1.1 20 OK\r\n\r\n",
		"status under 100":     "HTTP/1.1 099 OK\r\n\r\n",
		"four digits":          "HTTP/1.1 2000\r\n\r\n",
		"sign":                 "HTTP/1.1 +20 OK\r\n\r\n",
		"control in reason":    "HTTP/1.1 200 O\x01K\r\n\r\n",
		"bare CR in reason":    "HTTP/1.1 200 O\rK\r\n\r\n",
		"bare LF":              "HTTP/1.1 200 OK\nA: b\n\n",
		"CR in a value":        "HTTP/1.1 200 OK\r\nLocation: /a\rSet-Cookie: x\r\n\r\n",
		"LF in a value":        "HTTP/1.1 200 OK\r\nLocation: /a\nSet-Cookie: x\r\n\r\n",
		"folding":              "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
		"length and coding":    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"two lengths":          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"bad length":           "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
		"unknown coding":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"coding in 1.0":        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"blank before colon":   "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
		"too long":             "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", 66) + "\r\n",
		"status line too long": "HTTP/1.1 200 " + strings.Repeat("b", MaxHead),
	} {
		var r Response
		r.Reset()
		if done, err := r.Parse([]byte(text)); err == nil {
			t.Errorf("%s: got done=%v, want an error", name, done)
		}
	}
}

func TestResponsesAreUnderstood(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		status int
		reason string
		keep   bool
		get    BodyKind
		head   BodyKind
	}{
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "OK", true, Sized, NoBody},
		{"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, "", true, NoBody, NoBody},
		{"HTTP/1.1 404 Not  Found \xe9\r\nTransfer-Encoding: chunked\r\n\r\n", 404, "Not  Found \xe9", true, ChunkedEnd, NoBody},
		{"HTTP/1.1 200 \r\nConnection: close\r\n\r\n", 200, "", false, UntilClose, NoBody},
		{"HTTP/1.0 200 OK\r\n\r\n", 200, "OK", false, UntilClose, NoBody},
		{"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n", 200, "OK", true, Sized, NoBody},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "Not Modified", true, NoBody, NoBody},
		{"HTTP/1.1 204 No Content\r\n\r\n", 204, "No Content", true, NoBody, NoBody},
		{"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 103, "Early Hints", true, NoBody, NoBody},
	} {
		var r Response
		r.Reset()
		done, err := r.Parse([]byte(c.text))
		if !done || err != nil {
			t.Errorf("%q: got %v, %v", c.text, done, err)
			continue
		}
		if r.Status != c.status || string(r.Reason) != c.reason || r.KeepAlive != c.keep || r.Body(false) != c.get || r.Body(true) != c.head {
			t.Errorf("%q: got %d %q keep=%v body %d/%d", c.text, r.Status, r.Reason, r.KeepAlive, r.Body(false), r.Body(true))
		}
	}
}

func FuzzResponse(f *testing.F) {
	for _, c := range corpus(f) {
		if c.response() {
			f.Add(c.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var whole, pieces Response
		whole.Reset()
		pieces.Reset()
		done, err := whole.Parse(b)
		var done2 bool
		var err2 error
		for n := 0; n <= len(b) && !done2 && err2 == nil; n++ {
			done2, err2 = pieces.Parse(b[:n:n])
		}
		if done != done2 || (err == nil) != (err2 == nil) || done && err == nil && string(whole.Reason) != string(pieces.Reason) {
			t.Fatalf("got %v, %v in pieces, want %v, %v", done2, err2, done, err)
		}
	})
}

// X35: no Connection field takes the length from a body that is passed on by it.
func TestConnectionNamesNoLength(t *testing.T) {
	t.Parallel()
	var r Response
	r.Reset()
	head := "HTTP/1.1 200 OK\r\nConnection: content-LENGTH, X-A\r\nContent-Length: 5\r\nX-A: b\r\n\r\n"
	if done, err := r.Parse([]byte(head)); !done || err != nil {
		t.Fatalf("got %v, %v", done, err)
	}
	for i := range r.Count() {
		if got, want := r.Hop(i), string(r.Name(i)) == "X-A"; got != want {
			t.Errorf("%s ends here: got %v, want %v", r.Name(i), got, want)
		}
	}
}
