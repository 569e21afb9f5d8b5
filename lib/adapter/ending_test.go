package adapter

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// endless are answers that end before their makers do.
var endless = []struct {
	name, method, uri string
	status            int
	body              string
}{
	{"HEAD", "HEAD", "/200", 200, ""},
	{"204", "GET", "/204", 204, ""},
	{"304", "GET", "/304", 304, ""},
	{"more than Content-Length", "GET", "/longer", 200, "tick\nt"},
	{"as long as Content-Length", "GET", "/exact", 200, "tick\ntick\n"},
	{"no body by its length", "GET", "/none", 200, ""},
	{"HEAD, by write", "HEAD", "/write/200", 200, ""},
	{"204, by write", "GET", "/write/204", 204, ""},
	{"more than Content-Length, by write", "GET", "/write/longer", 200, "tick\nt"},
}

func TestWSGIStopsIteratorsAtTheEndOfTheAnswer(t *testing.T) {
	t.Parallel()
	const code = `
class Ticks:
    def __iter__(self):
        return self
    def __next__(self):
        return b"tick\n"
    def close(self):
        print("closed")

class Blanks(Ticks):
    def __next__(self):
        return b""

def application(environ, start_response):
    kind = environ["PATH_INFO"].rpartition("/")[2]
    length = {"longer": "6", "exact": "10", "none": "0"}.get(kind)
    status = kind if kind.isdigit() else "200"
    write = start_response(status + " X", [("Content-Length", length)] if length else [])
    if kind == "next":
        return [b"next"]
    if "/write/" in environ["PATH_INFO"]:
        try:
            while True:
                write(b"tick\n")
        finally:
            print("closed")
    return Ticks() if kind != "none" else Blanks()
`
	p := startPython(t, map[string]string{"passenger_wsgi.py": code})
	s := p.dial(t)
	for i, test := range endless {
		got := s.do(t, request{uri: test.uri, method: test.method})
		if got.StatusCode != test.status || got.body != test.body {
			t.Errorf("%s: got %d %q, want %d %q", test.name, got.StatusCode, got.body, test.status, test.body)
		}
		if got := s.do(t, request{uri: "/next"}); got.body != "next" {
			t.Errorf("after %s: got %q, want the next answer", test.name, got.body)
		}
		p.awaitCount(t, "closed\n", i+1)
	}
}

// What comes behind the last piece of a generator is the application's way to
// clean up.
func TestWSGIRunsAGeneratorToItsEnd(t *testing.T) {
	t.Parallel()
	p := startPython(t, map[string]string{"passenger_wsgi.py": `
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    yield b"he"
    yield b"llo"
    print("cleaned up")
`})
	if got := p.dial(t).do(t, request{}); got.body != "hello" {
		t.Errorf("got %q, want hello", got.body)
	}
	p.awaitOutput(t, "cleaned up")
}

// What is written to an answer that is whole gets into no other.
func TestWSGIWritesBehindTheAnswer(t *testing.T) {
	t.Parallel()
	const code = `
import tempfile
kept = None

def application(environ, start_response):
    global kept
    kind = environ["PATH_INFO"][1:]
    if kept:
        kept(b"HTTP/1.1 200 OK\r\n\r\n")
    body = b"x" * 50
    write = start_response("200 OK", [("Content-Length", "50")] if kind == "sized" else [])
    kept = write if kind != "next" else None
    if kind == "file":
        file = tempfile.TemporaryFile()
        file.write(body)
        file.seek(0)
        return environ["wsgi.file_wrapper"](file)
    return {"sized": [body], "list": [body], "two": [body[:20], body[20:]], "empty": []}.get(kind, iter([body]))
`
	p := startPython(t, map[string]string{"passenger_wsgi.py": code})
	s := p.dial(t)
	for _, kind := range []string{"sized", "list", "two", "empty", "iterator", "file"} {
		s.do(t, request{uri: "/" + kind})
		if got := s.do(t, request{uri: "/next"}); got.body != strings.Repeat("x", 50) {
			t.Errorf("%s: got %q, want the next answer", kind, got.body)
		}
	}
}

func TestASGIStopsSendersAtTheEndOfTheAnswer(t *testing.T) {
	t.Parallel()
	const code = `
async def application(scope, receive, send):
    assert scope["type"] == "http"
    await receive()  # else Hypercorn closes the connection of any quick answer
    kind = scope["path"].rpartition("/")[2]
    length = {"longer": b"6", "exact": b"10", "none": b"0"}.get(kind)
    status = int(kind) if kind.isdigit() else 200
    headers = [(b"content-length", length)] if length else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if kind == "next":
        await send({"type": "http.response.body", "body": b"next"})
        return
    try:
        while True:
            await send({"type": "http.response.body", "body": b"tick\n", "more_body": True})
    finally:
        print("stopped", flush=True)
`
	for _, server := range asgiServers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			needASGI(t, server)
			p := startReady(t, asgiSpec(t, code), "PASSENGER_ASGI_SERVER="+server)
			checkEndless(t, p)
			if strings.Contains(p.output.String(), "Traceback") {
				t.Errorf("what we stopped is told as an error of the app:\n%s", p.output)
			}
		})
	}
}

// checkEndless asks for the endless answers of an app that speaks HTTP, each on
// a connection on which another request follows.
func checkEndless(t *testing.T, p *process) {
	t.Helper()
	for _, test := range endless {
		s := p.dial(t)
		io.WriteString(s, test.method+" "+test.uri+" HTTP/1.1\r\nHost: app\r\n\r\n")
		got := s.receive(t, test.method)
		if got.StatusCode != test.status || got.body != test.body {
			t.Errorf("%s: got %d %q, want %d %q", test.name, got.StatusCode, got.body, test.status, test.body)
		}
		if got.Close {
			continue // as good: nothing can be in the way of a next request
		}
		io.WriteString(s, "GET /next HTTP/1.1\r\nHost: app\r\n\r\n")
		resp, err := http.ReadResponse(s.r, nil)
		if err != nil {
			t.Errorf("after %s: %v, want the next answer", test.name, err)
			continue
		}
		if body, _ := io.ReadAll(resp.Body); string(body) != "next" {
			t.Errorf("after %s: got %q, want the next answer", test.name, body)
		}
	}
	p.awaitCount(t, "stopped\n", len(endless))
}
