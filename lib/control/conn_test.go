package control

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"passenger/lib/protocol"
)

// echoing answers with what it is told, and waits where it is told so.
func echoing(gone chan<- struct{}) *Server {
	var feed Feed[string]
	feed.Set("first")
	s := &Server{Program: "passenger-test", Release: "1"}
	s.Register(
		Call{Method: "PUT", Path: "/v1/echo/{name}", Access: protocol.Changes, Handler: Named("name", func(r *Request, name string) (any, error) {
			b, err := Body(r)
			return name + " " + string(b), err
		})},
		Call{Method: "GET", Path: "/v1/wait", Access: protocol.Reads, Handler: func(r *Request) (any, error) {
			<-r.Context().Done()
			close(gone)
			return nil, nil
		}},
		Call{Method: "GET", Path: "/v1/word", Access: protocol.Reads, Feed: &feed},
		Call{Method: "GET", Path: "/v1/bug", Access: protocol.Reads, Handler: func(*Request) (any, error) { panic("a bug") }},
	)
	return s
}

// What curl and programs of other languages may send, on one connection.
func TestConnectionsTakeAllOfHTTP(t *testing.T) {
	t.Parallel()
	path := serve(t, echoing(nil))
	for _, tt := range []struct {
		name, request string
		want          []string // in this order
	}{
		{"requests one behind the other, and their end",
			"PUT /v1/echo/a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none" +
				"GET /v1/word HTTP/1.1\r\nHost: x\r\n\r\n" +
				"PUT /v1/echo/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\ntwo\r\n0\r\n\r\n",
			[]string{"HTTP/1.1 200 OK\r\n", "Passenger-Protocol: 1\r\n", "Content-Length: 8\r\n", `"a one"`, "HTTP/1.1 200 OK\r\n", `"first"`, "Connection: close\r\n", `"b two"`}},
		{"HEAD", "HEAD /v1/word HTTP/1.0\r\n\r\n", []string{"HTTP/1.0 200 OK\r\n", "Content-Length: 8\r\n", "\r\n<end>"}},
		{"HTTP/1.0 that stays", "GET /v1/word HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /v1/word HTTP/1.0\r\n\r\n",
			[]string{"Connection: keep-alive\r\n", `"first"`, "Connection: close\r\n", `"first"`}},
		{"one who waits for 100", "PUT /v1/echo/a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 3\r\n\r\none",
			[]string{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", `"a one"`}},
		{"one who is refused before its body", "PUT /v1/echo/A HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none",
			[]string{"HTTP/1.1 400 Bad Request\r\n", "Connection: close\r\n", `"A\" is not a valid name`}},
		{"no HTTP", "\x16\x03\x01\r\n\r\n", []string{"HTTP/1.1 400 Bad Request\r\n", `"code":"bad-request"`}},
		{"two lengths", "PUT /v1/echo/a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", []string{" 400 ", `"code":"bad-request"`}},
		{"a path that is none of ours", "GET /v1/echo/a HTTP/1.0\r\n\r\n", []string{" 404 ", `unknown request GET \"/v1/echo/a\"`}},
		{"a path with more", "GET /v1/word/ HTTP/1.0\r\n\r\n", []string{" 404 "}},
		{"a bug", "GET /v1/bug HTTP/1.0\r\n\r\n", []string{" 500 ", `"code":"internal"`}},
	} {
		got := raw(t, path, tt.request) + "<end>"
		rest := got
		for _, want := range tt.want {
			_, after, found := strings.Cut(rest, want)
			if !found {
				t.Errorf("%s: got\n%s\nwant %q in it, behind what was found", tt.name, got, want)
				break
			}
			rest = after
		}
	}
}

func TestWatchIsAStream(t *testing.T) {
	t.Parallel()
	path := serve(t, echoing(nil))
	for version, want := range map[string]string{"1.1": "8\r\n\"first\"\n\r\n", "1.0": "\"first\"\n"} {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET /v1/word?watch=1 HTTP/"+version+"\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(c)
		for line := ""; line != "\r\n"; {
			if line, err = r.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
			t.Errorf("HTTP/%s: got %q, %v, want %q", version, got, err, want)
		}
	}
}

func TestCallEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	path := serve(t, echoing(gone))
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET /v1/wait HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	c.Close()
	<-gone
}

func TestCallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	path := serve(t, echoing(gone))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(io.ErrClosedPipe)
	if err := NewClient(path, "test", "1").Call(ctx, "GET", "/v1/wait", nil, nil); err != io.ErrClosedPipe {
		t.Errorf("got %v, want the cause", err)
	}
}

func TestNamesInPath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, path, want string
		ok                  bool
	}{
		{"/v1", "/v1", "", true},
		{"/v1", "/v1/", "", false},
		{"/v1/a/{id}", "/v1/a/x%2Fy", "x/y", true},
		{"/v1/a/{id}", "/v1/a/", "", false},
		{"/v1/a/{id}", "/v1/a", "", false},
		{"/v1/a/{id}/b", "/v1/a/x/b", "x", true},
		{"/v1/a/{id}/b", "/v1/a/x/b/c", "", false},
		{"/v1/a/{id}/b", "/v1/a/x", "", false},
		{"/v1/a", "//v1/a", "", false},
		{"/v1/a", "*", "", false},
	} {
		names, ok := namesIn(tt.pattern, tt.path)
		if ok != tt.ok || names["id"] != tt.want {
			t.Errorf("%s, %s: got %q, %v, want %q, %v", tt.pattern, tt.path, names, ok, tt.want, tt.ok)
		}
	}
}
