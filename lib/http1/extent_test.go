package http1

import "testing"

// A body ends where its head says, however the bytes come, and what comes behind it
// is counted and passed on to nobody.
func TestAnExtentEndsWhereTheHeadSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		head, bytes, passed string
		toHead, decode      bool
		ended               bool
		surplus             int
	}{
		{head: "Content-Length: 5\r\n", bytes: "hello", passed: "hello", ended: true},
		{head: "Content-Length: 5\r\n", bytes: "hel", passed: "hel"},
		{head: "Content-Length: 5\r\n", bytes: "helloHTTP", passed: "hello", ended: true, surplus: 4},
		{head: "Content-Length: 5\r\n", bytes: "HTTP", toHead: true, ended: true, surplus: 4},
		{head: "Content-Length: 0\r\n", ended: true},
		{head: "Transfer-Encoding: chunked\r\n", bytes: "2\r\nhi\r\n0\r\n\r\nHT", passed: "2\r\nhi\r\n0\r\n\r\n", ended: true, surplus: 2},
		{head: "Transfer-Encoding: chunked\r\n", bytes: "2\r\nhi\r\n0\r\n\r\nHT", decode: true, passed: "hi", ended: true, surplus: 2},
		{head: "Transfer-Encoding: chunked\r\n", bytes: "2\r\nhi\r\n0\r\n", decode: true, passed: "hi"},
		{bytes: "all that comes", passed: "all that comes"},
	} {
		for _, step := range []int{1, len(c.bytes) + 1} {
			var r Response
			r.Reset()
			if done, err := r.Parse([]byte("HTTP/1.1 200 OK\r\n" + c.head + "\r\n")); !done || err != nil {
				t.Fatal(done, err)
			}
			var chunks Chunked
			chunks.Reset()
			e := r.Extent(c.toHead, &chunks)
			e.Decode = c.decode
			passed, ended, left := "", false, c.bytes
			for first := true; (first || left != "") && !ended; first = false {
				n := min(step, len(left))
				part, end, err := e.Measure([]byte(left[:n]))
				if err != nil {
					t.Fatal(err)
				}
				passed, ended, left = passed+string(part), end, left[n:]
			}
			if surplus := e.Surplus + len(left); passed != c.passed || ended != c.ended || surplus != c.surplus && ended {
				t.Errorf("%q then %q by %d: got %q, ended %v, surplus %d", c.head, c.bytes, step, passed, ended, surplus)
			}
		}
	}
}
