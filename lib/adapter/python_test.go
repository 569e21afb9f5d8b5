package adapter

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"passenger/lib/protocol"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// checked is an application of many cases under the standard library's checker,
// which raises an AssertionError at every breach of PEP 3333, ours or the
// application's.
const checked = `
import os, signal, sys, time
from wsgiref.validate import validator

PLAIN = [("Content-Type", "text/plain")]

class Body:
    def __init__(self, *pieces):
        self.pieces = pieces
    def __iter__(self):
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece
    def close(self):
        print("closed")

def variables(environ, start_response):
    start_response("200 OK", PLAIN)
    return [("%s|%s|%s" % (environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["QUERY_STRING"])).encode("latin-1")]

def flags(environ, start_response):
    start_response("200 OK", PLAIN)
    return [("%s %s %s %s" % (environ["wsgi.url_scheme"], environ["wsgi.multithread"],
        environ["wsgi.multiprocess"], environ["wsgi.run_once"])).encode()]

def generator(environ, start_response):
    start_response("200 OK", PLAIN)
    return Body(b"", b"one\n", b"", b"two\n")

def empty(environ, start_response):
    start_response("200 OK", PLAIN)
    return Body()

def pieces(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"one\n", b"two\n"]

def write(environ, start_response):
    write = start_response("200 OK", PLAIN)
    write(b"one\n")
    write(b"two\n")
    return [b"three\n"]

def sized(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "8")])
    return Body(b"one\n", b"two\n")

def short(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "9")])
    return Body(b"one\n", b"two\n")

def long(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "7")])
    return Body(b"one\n", b"two\n")

def none(environ, start_response):
    start_response("204 No Content", [])
    return []

def unchanged(environ, start_response):
    start_response("304 Not Modified", [("ETag", '"a"')])
    return []

def early(environ, start_response):
    start_response("200 OK", PLAIN)
    return Body(ValueError("early failure"))

def half(environ, start_response):
    start_response("200 OK", PLAIN)
    return Body(b"one\n", ValueError("late failure"))

def replaced(environ, start_response):
    start_response("200 OK", PLAIN)
    try:
        raise KeyError("x")
    except KeyError:
        start_response("503 Sorry", PLAIN, sys.exc_info())
    return [b"sorry\n"]

def too_late(environ, start_response):
    write = start_response("200 OK", PLAIN)
    write(b"one\n")
    try:
        raise KeyError("raised again")
    except KeyError:
        start_response("503 Sorry", PLAIN, sys.exc_info())
    return []

def leave(environ, start_response):
    sys.exit(3)

def echo(environ, start_response):
    start_response("200 OK", PLAIN)
    return [environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 1 << 30))]

def length(environ, start_response):
    start_response("200 OK", PLAIN)
    return [environ["CONTENT_LENGTH"].encode() + b" " + environ["wsgi.input"].read(-1)]

def lines(environ, start_response):
    start_response("200 OK", PLAIN)
    source = environ["wsgi.input"]
    return [repr([source.readline(), source.readline(3), source.readlines(), source.read(1)]).encode()]

def each(environ, start_response):
    start_response("200 OK", PLAIN)
    return [repr(list(environ["wsgi.input"])).encode()]

def slow(environ, start_response):
    print("begun")
    time.sleep(0.3)
    start_response("200 OK", PLAIN)
    return [b"done\n"]

def nap(environ, start_response):
    print("napping")
    time.sleep(60)

def fork(environ, start_response):
    child = os.fork()
    if not child:
        if os.fork():
            time.sleep(60)
        os._exit(0)
    os.kill(child, signal.SIGTERM)
    status = os.waitpid(child, 0)[1]
    start_response("200 OK", PLAIN)
    return [str(os.WTERMSIG(status)).encode()]

@validator
def application(environ, start_response):
    view = globals()[environ["PATH_INFO"].split("/")[1] or "variables"]
    return view(environ, start_response)
`

func startPython(t *testing.T, files map[string]string) *process {
	t.Helper()
	need(t, "python3")
	return startReady(t, Spec{Type: protocol.TypeWSGI, AppRoot: writeApp(t, files)})
}

func TestWSGIAnswersAsPEP3333Says(t *testing.T) {
	t.Parallel()
	p := startPython(t, map[string]string{"passenger_wsgi.py": checked})
	long := strings.Repeat("x", 200_000)
	tests := []struct {
		request
		status   int
		length   string // Content-Length
		encoding string // Transfer-Encoding
		body     string
	}{
		{request{uri: "/variables?q=%20&%E6"}, 200, "", "chunked", "|/variables|q=%20&%E6"},
		{request{uri: "/app/variables/%e6%97%25", base: "/app"}, 200, "", "chunked", "/app|/variables/\xe6\x97%|"},
		{request{uri: "/flags"}, 200, "", "chunked", "http False True False"},
		{request{uri: "/flags", env: map[string]string{"HTTPS": "on"}}, 200, "", "chunked", "https False True False"},
		{request{uri: "/generator"}, 200, "", "chunked", "one\ntwo\n"},
		{request{uri: "/empty"}, 200, "0", "", ""},
		{request{uri: "/pieces"}, 200, "", "chunked", "one\ntwo\n"},
		{request{uri: "/write"}, 200, "", "chunked", "one\ntwo\nthree\n"},
		{request{uri: "/sized"}, 200, "8", "", "one\ntwo\n"},
		{request{uri: "/long"}, 200, "7", "", "one\ntwo"},
		{request{uri: "/none"}, 204, "", "", ""},
		{request{uri: "/unchanged"}, 304, "", "", ""},
		{request{uri: "/early"}, 500, "72", "", "500 Internal Server Error: the application failed; its output says why.\n"},
		{request{uri: "/replaced"}, 503, "", "chunked", "sorry\n"},
		{request{uri: "/leave"}, 500, "72", "", "500 Internal Server Error: the application failed; its output says why.\n"},
		{request{uri: "/generator", method: "HEAD"}, 200, "", "", ""},
		{request{uri: "/sized", method: "HEAD"}, 200, "8", "", ""},
		{request{uri: "/echo", method: "POST", body: "hello"}, 200, "", "chunked", "hello"},
		{request{uri: "/echo", method: "POST", chunks: []string{"hel", "lo"}}, 200, "", "chunked", "hello"},
		{request{uri: "/echo", method: "POST", chunks: []string{}}, 200, "0", "", ""},
		{request{uri: "/length", method: "POST", chunks: []string{"hel", "lo"}}, 200, "", "chunked", "5 hello"},
		{request{uri: "/length", method: "POST", chunks: []string{long, long}}, 200, "", "chunked", fmt.Sprint(2*len(long), " ", long, long)},
		{request{uri: "/lines", method: "POST", body: "a\nbbbb\nc\nd"}, 200, "", "chunked", `[b'a\n', b'bbb', [b'b\n', b'c\n', b'd'], b'']`},
		{request{uri: "/each", method: "POST", chunks: []string{"a\nb", "b\nc"}}, 200, "", "chunked", `[b'a\n', b'bb\n', b'c']`},
		{request{uri: "/generator", method: "POST", body: "nobody reads it"}, 200, "", "chunked", "one\ntwo\n"},
		{request{uri: "/fork"}, 200, "", "chunked", "15"},
	}
	// One connection: whatever the response, the next request must be found.
	s := p.dial(t)
	for _, test := range tests {
		got := s.do(t, test.request)
		encoding := strings.Join(got.TransferEncoding, ",")
		if got.StatusCode != test.status || got.Header.Get("Content-Length") != test.length || encoding != test.encoding || got.body != test.body {
			t.Errorf("%s %s: got %d, length %q, encoding %q, body %q; want %d, %q, %q, %q", test.method, test.uri,
				got.StatusCode, got.Header.Get("Content-Length"), encoding, got.body,
				test.status, test.length, test.encoding, test.body)
		}
		if got.Close {
			t.Fatalf("%s %s: the connection is to be closed", test.method, test.uri)
		}
	}
	for _, unwanted := range []string{"AssertionError", "Exception ignored"} {
		if strings.Contains(p.output.String(), unwanted) {
			t.Errorf("got %s:\n%s", unwanted, p.output)
		}
	}
	for _, want := range []string{"ValueError: early failure", "SystemExit: 3", "longer than its Content-Length"} {
		if !strings.Contains(p.output.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, p.output)
		}
	}
	// generator three times, HEAD among them; empty, long and early once;
	// sized twice.
	if got, want := strings.Count(p.output.String(), "closed\n"), 8; got != want {
		t.Errorf("got %d calls of close, want %d", got, want)
	}
	if strings.Contains(p.output.String(), "passenger_adapter") {
		t.Errorf("a backtrace shows the adapter's own frames:\n%s", p.output)
	}
}

func TestWSGIBreaksOffWhatCannotBeCompleted(t *testing.T) {
	t.Parallel()
	p := startPython(t, map[string]string{"passenger_wsgi.py": checked})
	for uri, want := range map[string]string{
		"/half":     "ValueError: late failure",
		"/short":    "1 bytes shorter than its Content-Length",
		"/too_late": "KeyError: 'raised again'",
	} {
		s := p.dial(t)
		s.send(request{uri: uri})
		if got := s.receive(t, "GET"); got.err == nil {
			t.Errorf("%s: got a whole response with body %q, want one that breaks off", uri, got.body)
		}
		p.awaitOutput(t, want)
	}
}

func TestWSGIListOfOnePieceIsSized(t *testing.T) {
	t.Parallel()
	p := startPython(t, map[string]string{"passenger_wsgi.py": `
import io
def application(environ, start_response):
    headers = [("X-A", "1"), ("Connection", "close"), ("Transfer-Encoding", "chunked")]
    start_response("200 OK", headers)
    if environ["PATH_INFO"] == "/text":
        return ["not bytes"]
    if environ["PATH_INFO"] == "/file":
        file = open(__file__, "rb")
        file.seek(1)
        return environ["wsgi.file_wrapper"](file)
    if environ["PATH_INFO"] == "/proc":
        return environ["wsgi.file_wrapper"](open("/proc/self/comm", "rb"))
    if environ["PATH_INFO"] == "/memory":
        return environ["wsgi.file_wrapper"](io.BytesIO(b"in memory"), 4)
    return [b"hello"]
`})
	s := p.dial(t)
	got := s.do(t, request{})
	if got.body != "hello" || got.ContentLength != 5 || got.Close || got.Header.Get("X-A") != "1" {
		t.Errorf("got %q, %v; want hello, sized and kept alive", got.body, got.Header)
	}
	if got := s.do(t, request{uri: "/text"}); got.StatusCode != 500 {
		t.Errorf("a body of str: got %d, want 500", got.StatusCode)
	}
	p.awaitOutput(t, "TypeError: the body must be made of bytes, not of str")
	if got := s.do(t, request{uri: "/file"}); !strings.HasPrefix(got.body, "import io\n") || got.ContentLength != int64(len(got.body)) {
		t.Errorf("a file: got %q of length %d", got.body, got.ContentLength)
	}
	if got := s.do(t, request{uri: "/proc"}); got.body == "" {
		t.Error("a file that the kernel makes: got nothing")
	}
	if got := s.do(t, request{uri: "/memory"}); got.body != "in memory" {
		t.Errorf("a file in memory: got %q", got.body)
	}
}

func TestWSGIDropsHeadersThatAreNone(t *testing.T) {
	t.Parallel()
	p := startPython(t, map[string]string{"passenger_wsgi.py": `
bad = {
    "line": ("X-Bad", "1\r\nX-B: 2"), "nul": ("X-Bad", "a\0b"), "number": ("X-Bad", 1), "bytes": ("X-Bad", b"1"),
    "none": ("X-Bad", None), "name": ("X Bad", "1"), "namebytes": (b"X-Bad", "1"), "colon": ("X-Bad:", "1"),
    "euro": ("X-Bad", "5 \u20ac"), "length": ("Content-Length", "five"), "negative": ("Content-Length", "-1"),
}
def application(environ, start_response):
    kind = environ["PATH_INFO"][1:]
    if kind.startswith("status"):
        start_response({"status-line": "200 OK\r\nX-B: 2", "status-euro": "200 \u20ac"}[kind], [])
    else:
        start_response("200 OK", [("X-A", "caf\xe9"), bad[kind], ("X-C", "")])
    return [b"hello"]
`})
	s := p.dial(t)
	for _, kind := range []string{"line", "nul", "number", "bytes", "none", "name", "namebytes", "colon", "euro", "length", "negative"} {
		got := s.do(t, request{uri: "/" + kind})
		if got.StatusCode != 200 || got.body != "hello" || got.ContentLength != 5 || len(got.Header) != 3 || got.Header.Get("X-A") != "caf\xe9" {
			t.Errorf("%s: got %d %v %q, want the answer without that header", kind, got.StatusCode, got.Header, got.body)
		}
	}
	p.awaitCount(t, "is not sent", 11)
	for _, kind := range []string{"status-line", "status-euro"} {
		if got := s.do(t, request{uri: "/" + kind}); got.StatusCode != 500 || got.Header.Get("X-B") != "" {
			t.Errorf("%s: got %d %v, want 500", kind, got.StatusCode, got.Header)
		}
	}
}

// Werkzeug's and others' ranges seek in the wrapper's iterator.
func TestWSGIFileWrapperSeeksAndTells(t *testing.T) {
	t.Parallel()
	p := startPython(t, map[string]string{"passenger_wsgi.py": `
import io
class Range:
    def __init__(self, wrapped, start, end):
        assert wrapped.seekable()
        self.pieces = iter(wrapped)
        self.start, self.end = start, end
    def __iter__(self):
        self.pieces.seek(self.start)
        at = self.pieces.tell()
        for piece in self.pieces:
            yield piece[:self.end - at]
            at += len(piece)
            if at >= self.end:
                return
def application(environ, start_response):
    with open("numbers", "wb") as file:
        file.write(b"0123456789")
    file = io.BytesIO(b"0123456789") if environ["PATH_INFO"] == "/memory" else open("numbers", "rb")
    start_response("206 Partial Content", [("Content-Length", "5")])
    return Range(environ["wsgi.file_wrapper"](file, 2), 3, 8)
`})
	for _, uri := range []string{"/memory", "/file"} {
		if got := p.dial(t).do(t, request{uri: uri}); got.body != "34567" {
			t.Errorf("%s: got %q, want 34567", uri, got.body)
		}
	}
}

func TestWSGIClosesWhatHasABodyStillToCome(t *testing.T) {
	t.Parallel()
	p := startPython(t, map[string]string{"passenger_wsgi.py": checked})
	s := p.dial(t)
	got := s.do(t, request{uri: "/pieces", method: "POST", body: strings.Repeat("x", 4<<20)})
	if !got.Close || got.body != "one\ntwo\n" {
		t.Errorf("got %q, closed %v; want it whole and to be closed", got.body, got.Close)
	}
	if got := p.dial(t).do(t, request{uri: "/pieces"}); got.StatusCode != 200 {
		t.Errorf("the next connection: got %d, want 200", got.StatusCode)
	}
}

func TestWSGIBodyThatBreaksOffIsAnError(t *testing.T) {
	t.Parallel()
	p := startPython(t, map[string]string{"passenger_wsgi.py": `
def application(environ, start_response):
    try:
        environ["wsgi.input"].read()
        print("whole")
    except OSError as error:
        print("error:", error)
        raise
`})
	s := p.dial(t)
	io.WriteString(s, request{method: "POST", body: "0123456789"}.head()+"01234")
	s.Close()
	p.awaitOutput(t, "error: the client went away")
	if strings.Contains(p.output.String(), "Traceback") {
		t.Errorf("the application is blamed for its client:\n%s", p.output)
	}
}

func TestWSGIServesConnectionsInTurn(t *testing.T) {
	t.Parallel()
	p := startPython(t, map[string]string{"passenger_wsgi.py": checked})
	const connections, rounds = 5, 50
	var sessions []*session
	for range connections {
		sessions = append(sessions, p.dial(t))
	}
	for i := range rounds {
		for _, s := range sessions {
			s.send(request{uri: fmt.Sprintf("/variables/%d", i)})
		}
		for _, s := range sessions {
			if got, want := s.receive(t, "GET").body, fmt.Sprintf("|/variables/%d|", i); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
	}
}

func TestWSGIHeadMayComeInPieces(t *testing.T) {
	t.Parallel()
	p := startPython(t, map[string]string{"passenger_wsgi.py": checked})
	s := p.dial(t)
	whole := request{uri: "/echo", method: "POST", body: "hello", env: map[string]string{"HTTP_X": strings.Repeat("x", 100_000)}}.bytes()
	for _, piece := range []string{whole[:2], whole[2:4000], whole[4000:90_000], whole[90_000:]} {
		io.WriteString(s, piece)
		s.awaitRead(t)
	}
	if got := s.receive(t, "POST").body; got != "hello" {
		t.Errorf("got %q, want hello", got)
	}
	io.WriteString(s, "GET / HTTP/1.1\r\n\r\n")
	s.closed(t)
	p.awaitOutput(t, "not a request of the session protocol")
}

// awaitRead waits until the process has read what was sent.
func (s *session) awaitRead(t *testing.T) {
	t.Helper()
	raw, err := s.Conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(bound); time.Now().Before(end); time.Sleep(time.Millisecond) {
		queued := 0
		raw.Control(func(fd uintptr) { queued, err = unsent(int(fd)) })
		if err != nil {
			t.Fatal(err)
		}
		if queued == 0 {
			return
		}
	}
	t.Fatal("the process does not read")
}

func TestWSGIFinishesItsRequestOnSIGTERM(t *testing.T) {
	t.Parallel()
	p := startPython(t, map[string]string{"passenger_wsgi.py": checked + `
import atexit
atexit.register(print, "atexit ran")
`})
	idle, busy, waiting := p.dial(t), p.dial(t), p.dial(t)
	idle.do(t, request{})
	busy.send(request{uri: "/slow"})
	p.awaitOutput(t, "begun")
	waiting.send(request{uri: "/pieces"})
	p.signal(t, syscall.SIGTERM)
	for s, want := range map[*session]string{busy: "done\n", waiting: "one\ntwo\n"} {
		if got := s.receive(t, "GET"); got.body != want || got.err != nil {
			t.Errorf("got %q and error %v, want %q", got.body, got.err, want)
		}
	}
	if got := p.wait(t); got != 0 {
		t.Errorf("got exit status %d, want 0", got)
	}
	p.awaitOutput(t, "atexit ran")
	idle.closed(t)
}

func TestWSGICallsTheApplicationsOwnHandlerAtTheEnd(t *testing.T) {
	t.Parallel()
	p := startPython(t, map[string]string{"passenger_wsgi.py": checked + `
def bye(number, frame):
    print("bye")
    sys.exit(7)
signal.signal(signal.SIGTERM, bye)
`})
	s := p.dial(t)
	s.send(request{uri: "/slow"})
	p.awaitOutput(t, "begun")
	p.signal(t, syscall.SIGTERM)
	if got := s.receive(t, "GET").body; got != "done\n" {
		t.Errorf("got %q, want done", got)
	}
	if got := p.wait(t); got != 7 {
		t.Errorf("got exit status %d, want the handler's, 7", got)
	}
	p.awaitOutput(t, "bye")
}

func TestWSGIPrintsItsStackOnSIGQUIT(t *testing.T) {
	t.Parallel()
	p := startPython(t, map[string]string{"passenger_wsgi.py": checked})
	p.dial(t).send(request{uri: "/nap"})
	p.awaitOutput(t, "napping")
	p.signal(t, syscall.SIGQUIT)
	p.awaitOutput(t, "in nap")
}

func TestWSGIFindsTheApplication(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	hello := `
import os, sys
def %s(environ, start_response):
    start_response("200 OK", [])
    return [("%%s %%s %%s" %% (__name__, __name__ in sys.modules, sys.path[0] == os.getcwd())).encode()]
`
	files := map[string]string{
		"passenger_wsgi.py":         fmt.Sprintf(hello, "application"),
		"app.py":                    fmt.Sprintf(hello, "app"),
		"shop/__init__.py":          "",
		"shop/wsgi.py":              "from . import settings\n" + fmt.Sprintf(hello, "application"),
		"shop/settings.py":          "",
		"my-app.py":                 fmt.Sprintf(hello, "application"),
		"signal.py":                 fmt.Sprintf(hello, "application"),
		"src/other.py":              "import sibling\n" + fmt.Sprintf(hello, "wsgi"),
		"src/sibling.py":            "",
		"src/core/__init__.py":      "",
		"src/core/settings.py":      "",
		"src/core/wsgi.py":          "from core import settings\nfrom .settings import __name__ as _\nimport sibling\n" + fmt.Sprintf(hello, "application"),
		"pkg/wsgi.py":               "from . import settings\nfrom pkg.settings import __file__ as _\nimport settings\n" + fmt.Sprintf(hello, "application"),
		"pkg/settings.py":           "",
		"lib/site/wsgi.py":          "import settings, site_settings.base\n" + fmt.Sprintf(hello, "application"),
		"lib/site/settings.py":      "",
		"lib/site_settings/base.py": "",
		"factory.py":                fmt.Sprintf(hello, "hello") + "\ndef create_app(name='hello', *, up=False):\n    assert not up\n    return globals()[name]\n",
		"maker.py":                  fmt.Sprintf(hello, "hello") + "\ndef make_app():\n    return hello\n",
		"flaskr/__init__.py":        "from . import views\ndef create_app():\n    return views.hello\n",
		"flaskr/views.py":           "from flaskr import views as me\n" + fmt.Sprintf(hello, "hello"),
	}
	root := writeApp(t, files)
	for file, want := range map[string]string{
		"":                        "passenger_wsgi True True",
		"app.py":                  "app True True",
		"app.py:app":              "app True True",
		"app:app":                 "app True True",
		"shop/wsgi.py":            "shop.wsgi True True",
		"shop.wsgi:application":   "shop.wsgi True True",
		"my-app.py":               "my-app True True",
		"signal.py":               "passenger_app_signal True True",
		"src/other.py:wsgi":       "other True True",
		"src/core/wsgi.py":        "core.wsgi True True",
		"pkg/wsgi.py":             "pkg.wsgi True True",
		"lib/site/wsgi.py":        "wsgi True True",
		"factory.py":              "factory True True",
		"factory.py:create_app()": "factory True True",
		"factory.py:create_app('hello', up=False)": "factory True True",
		"factory:create_app()":                     "factory True True",
		"maker.py":                                 "maker True True",
		"flaskr/__init__.py":                       "flaskr.views True True",
		"flaskr:create_app()":                      "flaskr.views True True",
	} {
		p := startReady(t, Spec{Type: protocol.TypeWSGI, AppRoot: root, StartupFile: file})
		if got := p.dial(t).do(t, request{}).body; got != want {
			t.Errorf("%q: got %q, want %q", file, got, want)
		}
	}
}

func TestWSGILeavesNothingOfTheContractToTheApplication(t *testing.T) {
	t.Parallel()
	p := startPython(t, map[string]string{"passenger_wsgi.py": `
import os, subprocess, sys
at_load = sorted(name for name in os.environ if name.startswith(("LISTEN", "NOTIFY", "PASSENGER_NOTIFY")))
def application(environ, start_response):
    start_response("200 OK", [])
    inherited = subprocess.run(["ls", "-l", "/proc/self/fd/"], stdout=subprocess.PIPE, close_fds=False).stdout
    return [repr((at_load, inherited.count(b"socket:"), [m for m in sys.path if "adapter" in m])).encode()]
`})
	if got, want := p.dial(t).do(t, request{}).body, "([], 0, [])"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWSGISaysWhyItCannotLoad(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	type report struct{ Category, Summary string }
	tests := []struct {
		file, content string
		want          report
		output        string
	}{
		{"passenger_wsgi.py", "import nothing_of_the_kind.at_all\n",
			report{"dependency", `the module "nothing_of_the_kind" is missing (passenger_wsgi.py:1)`}, "ModuleNotFoundError"},
		{"passenger_wsgi.py", "import os\ndef application(:\n",
			report{"syntax", "syntax error in ROOT/passenger_wsgi.py, line 2: invalid syntax"}, "SyntaxError"},
		{"passenger_wsgi.py", "\nraise KeyError('SECRET_KEY')\n",
			report{"app", "KeyError: 'SECRET_KEY' while the application was loading (passenger_wsgi.py:2)"}, "KeyError"},
		{"passenger_wsgi.py", "x = 1\n",
			report{"app", `passenger_wsgi.py has no callable "application"`}, "NoApplication"},
		{"passenger_wsgi.py", "application = 1\n",
			report{"app", `"application" in passenger_wsgi.py is not callable`}, "NoApplication"},
		{"passenger_wsgi.py", "import sys\nsys.exit(0)\n",
			report{"exit", "the application called exit(0) while it was loading (passenger_wsgi.py:2)"}, "SystemExit"},
		{"passenger_wsgi.py", "raise PermissionError(13, 'Permission denied', '/data/key')\n",
			report{"permission", "the application may not open /data/key (passenger_wsgi.py:1)"}, "PermissionError"},
		{"passenger_wsgi.py", "def create_app():\n    pass\n",
			report{"app", `"create_app()" in passenger_wsgi.py returns None, which is not callable`}, "NoApplication"},
		{"passenger_wsgi.py", "import os, sys\nos.execl('/no/python', '/no/python', *sys.argv)\n",
			report{"config", "the application changes to the interpreter /no/python, which cannot be executed: No such file or directory"}, "FileNotFoundError"},
		{"passenger_wsgi.py", "import os, sys\nos.execl(sys.executable, sys.executable, *sys.argv)\n",
			report{"config", "the application executed PYTHON 8 times, which did not make it sys.executable"}, "Endless"},
		{"other.py", "",
			report{"config", "the startup file ROOT/passenger_wsgi.py does not exist"}, "NoStartupFile"},
	}
	for _, test := range tests {
		root := writeApp(t, map[string]string{test.file: test.content})
		p := start(t, Spec{Type: protocol.TypeWSGI, AppRoot: root})
		notice := p.notice(t)
		text, ok := strings.CutPrefix(notice, "X_PASSENGER_ERROR=")
		var got struct{ report }
		if err := json.Unmarshal([]byte(text), &got.report); !ok || err != nil {
			t.Errorf("%q: got notice %q, %v", test.content, notice, err)
		}
		got.Summary = strings.ReplaceAll(got.Summary, root, "ROOT")
		got.Summary = regexp.MustCompile(`executed \S+`).ReplaceAllString(got.Summary, "executed PYTHON")
		if diff := cmp.Diff(test.want, got.report); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.content, diff)
		}
		if status := p.wait(t); status != 1 {
			t.Errorf("%q: got exit status %d, want 1", test.content, status)
		}
		if out := p.output.String(); !strings.Contains(out, test.output) || strings.Contains(out, "passenger_adapter") {
			t.Errorf("%q: want a backtrace of %s and nothing of ours:\n%s", test.content, test.output, out)
		}
	}
}

func TestWSGIRunsOnEveryPythonSince37(t *testing.T) {
	t.Parallel()
	home, _ := os.UserHomeDir()
	found, _ := filepath.Glob(filepath.Join(home, ".pyenv", "versions", "3.*", "bin", "python"))
	if len(found) == 0 {
		t.Skip("no further versions of Python are installed")
	}
	for _, python := range found {
		root := writeApp(t, map[string]string{"passenger_wsgi.py": checked})
		p := start(t, Spec{Type: protocol.TypeWSGI, AppRoot: root, Interpreter: python})
		notice := p.notice(t)
		if strings.Contains(python, "/3.6") {
			if !strings.Contains(notice, "too old") {
				t.Errorf("%s: got %q, want that it is too old", python, notice)
			}
			continue
		}
		if notice != "READY=1" {
			t.Errorf("%s: got %q, want that it is ready\n%s", python, notice, p.output)
			continue
		}
		if got := p.dial(t).do(t, request{uri: "/write"}).body; got != "one\ntwo\nthree\n" {
			t.Errorf("%s: got %q", python, got)
		}
		p.signal(t, syscall.SIGTERM)
		if got := p.wait(t); got != 0 {
			t.Errorf("%s: got exit status %d, want 0", python, got)
		}
	}
}

// needPython skips the test if Debian's Python lacks one of the modules.
func needPython(t *testing.T, modules string) {
	t.Helper()
	need(t, "/usr/bin/python3")
	if out, err := run("/usr/bin/python3", "-c", "import "+modules); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("import %s: %v\n%s", modules, err, out)
		}
		t.Skipf("import %s: %v", modules, err)
	}
}

// streamed is the SHA-256 of what the applications answer to GET /stream.
var streamed = func() string {
	sum := sha256.New()
	piece := make([]byte, 65536)
	for i := range 320 {
		for j := range piece {
			piece[j] = byte(i)
		}
		sum.Write(piece)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}()

func TestPythonApplications(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{"wsgi": "", "flask": "app.py", "django": "shop/wsgi.py"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "wsgi" {
				need(t, "/usr/bin/python3")
			} else {
				needPython(t, name)
			}
			p := startReady(t, Spec{Type: protocol.TypeWSGI, AppRoot: testApp(t, name), StartupFile: file, Interpreter: "/usr/bin/python3"})
			s := p.dial(t)
			big := strings.Repeat("0123456789", 500_000)
			digest := fmt.Sprintf("%x", sha256.Sum256([]byte(big)))
			for _, test := range []struct {
				request
				status int
				body   string
			}{
				{request{method: "POST", uri: "/upload", body: big}, 200, digest},
				{request{uri: "/redirect"}, 302, ""},
				{request{uri: "/cookie"}, 200, "seen=none"},
				{request{uri: "/cookie", env: map[string]string{"HTTP_COOKIE": "seen=yes"}}, 200, "seen=yes"},
				{request{uri: "/query?q=%E6%97%A5+%E4"}, 200, "q=\xe6\x97\xa5 \xe4"},
				{request{uri: "/sleep?seconds=0.01"}, 200, "slept 0.01"},
				{request{uri: "/pid"}, 200, fmt.Sprint(p.cmd.Process.Pid)},
			} {
				got := s.do(t, test.request)
				if got.StatusCode != test.status || !strings.HasPrefix(got.body, test.body) {
					t.Errorf("%s: got %d %q, want %d %q", test.uri, got.StatusCode, got.body, test.status, test.body)
				}
			}
			if got := s.do(t, request{}); !strings.Contains(got.body, "Hello from "+name) {
				t.Errorf("got page %q", got.body)
			}
			if got := s.do(t, request{method: "HEAD"}); got.StatusCode != 200 || got.body != "" {
				t.Errorf("HEAD: got %d %q", got.StatusCode, got.body)
			}
			if got := s.do(t, request{uri: "/nowhere"}); got.StatusCode != 404 {
				t.Errorf("got %d, want 404", got.StatusCode)
			}
			if got := s.do(t, request{uri: "/stream"}); fmt.Sprintf("%x", sha256.Sum256([]byte(got.body))) != streamed || got.ContentLength >= 0 {
				t.Errorf("/stream: got %d bytes of length %d", len(got.body), got.ContentLength)
			}
			if got := s.do(t, request{uri: "/error"}); got.StatusCode != 500 {
				t.Errorf("/error: got %d, want 500", got.StatusCode)
			}
			p.awaitOutput(t, "RuntimeError: deliberate failure")
			postForm(t, s, name)
			if name != "wsgi" {
				uploadForm(t, s, big, digest)
			}
		})
	}
}

// postForm posts /form, in Django with the page's token.
func postForm(t *testing.T, s *session, name string) {
	t.Helper()
	body, env := "name=J%C3%BCrgen", map[string]string{"CONTENT_TYPE": "application/x-www-form-urlencoded"}
	if name == "django" {
		if got := s.do(t, request{method: "POST", uri: "/form", body: body, env: env}); got.StatusCode != 403 {
			t.Errorf("/form without a token: got %d, want 403", got.StatusCode)
		}
		page := s.do(t, request{uri: "/form"})
		_, token, _ := strings.Cut(page.body, `name="csrfmiddlewaretoken" value="`)
		token, _, _ = strings.Cut(token, `"`)
		body += "&csrfmiddlewaretoken=" + token
		for _, cookie := range page.Cookies() {
			env["HTTP_COOKIE"] = cookie.Name + "=" + cookie.Value
		}
	}
	if got := s.do(t, request{method: "POST", uri: "/form", body: body, env: env}); got.StatusCode != 200 || got.body != "name=Jürgen" {
		t.Errorf("/form: got %d %q", got.StatusCode, got.body)
	}
}

func uploadForm(t *testing.T, s *session, content, digest string) {
	t.Helper()
	body := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\nContent-Type: application/octet-stream\r\n\r\n" +
		content + "\r\n--x--\r\n"
	env := map[string]string{"CONTENT_TYPE": "multipart/form-data; boundary=x"}
	if got := s.do(t, request{method: "POST", uri: "/upload-form", body: body, env: env}); got.body != digest {
		t.Errorf("/upload-form: got %d %.200q", got.StatusCode, got.body)
	}
}

// run runs a command and returns what it wrote.
func run(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	return string(out), err
}

// unsent returns how many bytes of a socket the other end has not read.
func unsent(fd int) (int, error) {
	return unix.IoctlGetInt(fd, unix.SIOCOUTQ)
}
