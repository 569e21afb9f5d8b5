package adapter

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"passenger/lib/protocol"
)

// Two apps that do the same: /wait answers once there is the file "go", /mark makes
// the file "marked", and any answers with its path.
const (
	waitingRack = `
run(lambda { |env|
  path = env["PATH_INFO"]
  File.write("marked", "") if path == "/mark"
  if path == "/wait"
    warn "it waits"
    sleep 0.005 until File.exist?("go")
  end
  env["REQUEST_METHOD"] = "GET" if path == "/get"
  env["REQUEST_METHOD"] = "HEAD" if path == "/head"
  raise "deliberate" if path == "/raise"
  if path.start_with?("/coded")
    chunks = { "/coded/over" => "1\r\na\r\n0\r\n\r\nover", "/coded/cut" => "9\r\na", "/coded/whole" => "1\r\na\r\n0\r\n\r\n" }
    next [200, { "Transfer-Encoding" => "chunked" }, ["", chunks[path]].each]
  end
  if path == "/sync"
    io = env["rack.hijack"].call
    io.write("HTTP/1.1 200 OK\r\n\r\n")
    io.write(io.gets)
    io.close
  end
  [200, { "Content-Type" => "text/plain" }, [path]]
})
`
	waitingWSGI = `
import os, sys, time

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/mark":
        open("marked", "w").close()
    if path == "/wait":
        print("it waits", file=sys.stderr, flush=True)
        while not os.path.exists("go"):
            time.sleep(0.005)
    if path == "/get":
        environ["REQUEST_METHOD"] = "GET"
    if path == "/head":
        environ["REQUEST_METHOD"] = "HEAD"
    if path == "/raise":
        raise ValueError("deliberate")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [path.encode()]
`
)

// A waiting is a process that answers a request, with another behind it.
type waiting struct {
	*process
	*session
	dir string
}

// withFollower calls f for a process of each kind.
func withFollower(t *testing.T, f func(t *testing.T, w *waiting)) {
	for name, spec := range map[string]struct {
		program, file, text string
		kind                string
	}{
		"rack": {"ruby", "config.ru", waitingRack, protocol.TypeRack},
		"wsgi": {"python3", "passenger_wsgi.py", waitingWSGI, protocol.TypeWSGI},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			need(t, spec.program)
			w := &waiting{dir: writeApp(t, map[string]string{spec.file: spec.text})}
			w.process = startReady(t, Spec{Type: spec.kind, AppRoot: w.dir})
			if !w.process.apart {
				t.Error("the process does not say what it takes")
			}
			w.session = w.process.dial(t)
			w.session.send(request{uri: "/wait", follows: true})
			w.awaitOutput(t, "it waits")
			w.session.send(request{uri: "/mark", follows: true})
			f(t, w)
		})
	}
}

func (w *waiting) has(file string) bool {
	_, err := os.Stat(filepath.Join(w.dir, file))
	return err == nil
}

// goOn lets the app answer.
func (w *waiting) goOn(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Requests that went ahead are answered in their order, whether they are found one
// after the other or together.
func TestWhatWentAheadIsAnsweredNext(t *testing.T) {
	t.Parallel()
	withFollower(t, func(t *testing.T, w *waiting) {
		if w.has("marked") {
			t.Error("the process has begun with what went ahead")
		}
		w.session.send(request{uri: "/third", follows: true})
		w.goOn(t)
		for _, want := range []string{"/wait", "/mark", "/third"} {
			if resp := w.session.receive(t, "GET"); resp.body != want {
				t.Errorf("got %q, want %q", resp.body, want)
			}
		}
		if resp := w.session.do(t, request{uri: "/last"}); resp.body != "/last" {
			t.Errorf("got %q", resp.body)
		}
	})
}

// A process that says that an answer is the last on its connection begins with no
// other request on it.
func TestProcessThatStopsBeginsWithNothingThatWentAhead(t *testing.T) {
	t.Parallel()
	withFollower(t, func(t *testing.T, w *waiting) {
		w.signal(t, syscall.SIGTERM)
		w.goOn(t)
		first := w.session.receive(t, "GET")
		if first.body != "/wait" {
			t.Errorf("got %q", first.body)
		}
		if !first.Close {
			if second := w.session.receive(t, "GET"); second.body != "/mark" || !second.Close {
				t.Errorf("got %q, close %v", second.body, second.Close)
			}
		}
		w.session.closed(t)
		w.process.wait(t)
		if w.has("marked") == first.Close {
			t.Errorf("the first answer says that it is the last: %v, and what went ahead has begun: %v", first.Close, w.has("marked"))
		}
	})
}

func TestProcessThatIsKilledHasNotBegunWithWhatWentAhead(t *testing.T) {
	t.Parallel()
	withFollower(t, func(t *testing.T, w *waiting) {
		w.signal(t, syscall.SIGKILL)
		w.process.wait(t)
		w.session.closed(t)
		if w.has("marked") {
			t.Error("it has begun")
		}
	})
}

// An app that takes its connection over gets what comes behind the end of requests,
// and nothing of those before.
func TestRackTakesOverWhereARequestWentAhead(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	dir := writeApp(t, map[string]string{"config.ru": waitingRack})
	for _, threads := range []int{1, 3} {
		p := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: dir, Threads: threads})
		follower := request{uri: "/mark", follows: true, apart: true}.bytes()
		for _, c := range []struct {
			name  string
			parts []string
		}{
			{"none", []string{"0:,", "raw\n"}},
			{"one", []string{follower, "0:,raw\n"}},
			{"at once", []string{follower + "0:,raw\n"}},
			{"byte by byte", strings.Split(follower+"0:,raw\n", "")},
			{"two", []string{follower + follower, "0:,", "raw\n"}},
		} {
			s := p.dial(t)
			s.send(request{uri: "/sync", follows: true})
			if got, err := s.r.Peek(len(takenOver)); string(got) != takenOver {
				t.Fatalf("%s: got %q, %v", c.name, got, err)
			}
			for _, part := range c.parts {
				if _, err := io.WriteString(s, part); err != nil {
					t.Fatal(c.name, err)
				}
			}
			if got, err := io.ReadAll(s.r); string(got) != takenOver+"HTTP/1.1 200 OK\r\n\r\nraw\n" || err != nil {
				t.Errorf("%s: got %q, %v", c.name, got, err)
			}
		}
		s := p.dial(t)
		s.send(request{uri: "/sync", follows: true})
		s.Conn.(interface{ CloseWrite() error }).CloseWrite() // the proxy ends
		if got, err := io.ReadAll(s.r); string(got) != takenOver || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if got := p.ask(t, "/next"); got != "/next" {
			t.Errorf("got %q", got)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "marked")); err == nil {
		t.Error("a request that went ahead was answered")
	}
}

// What an answer is too long or too short by is never taken for a part of the next
// one, whatever the app makes of the method, and where it fails.
func TestAnswersEndWhereTheRequestHasThemEnd(t *testing.T) {
	t.Parallel()
	withFollower(t, func(t *testing.T, w *waiting) {
		w.goOn(t)
		w.session.receive(t, "GET")
		w.session.receive(t, "GET")
		for _, c := range []struct {
			method, uri, body string
		}{{"HEAD", "/get", ""}, {"GET", "/head", "/head"}, {"HEAD", "/raise", ""}, {"HEAD", "/plain", ""}} {
			w.session.send(request{method: c.method, uri: c.uri, follows: true})
			w.session.send(request{uri: "/next", follows: true})
			if resp := w.session.receive(t, c.method); resp.body != c.body || resp.err != nil {
				t.Errorf("%s %s: got %q, %v", c.method, c.uri, resp.body, resp.err)
			}
			if resp := w.session.receive(t, "GET"); resp.body != "/next" {
				t.Errorf("behind %s %s: got %q", c.method, c.uri, resp.body)
			}
		}
	})
}

// An app that puts its body in chunks itself may end them too early, or not at all.
func TestNothingComesBehindChunksOfTheAppsOwn(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	dir := writeApp(t, map[string]string{"config.ru": waitingRack})
	p := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: dir})
	for _, path := range []string{"/coded/over", "/coded/cut", "/coded/whole"} {
		s := p.dial(t)
		s.send(request{uri: path, follows: true})
		s.send(request{uri: "/mark", follows: true})
		resp := s.receive(t, "GET")
		if !resp.Close || resp.body != "a" || (resp.err == nil) != (path != "/coded/cut") {
			t.Errorf("%s: got %q, %v, close %v", path, resp.body, resp.err, resp.Close)
		}
		if path == "/coded/cut" {
			continue
		}
		if rest, _ := io.ReadAll(s.r); string(rest) != "over" && len(rest) > 0 {
			t.Errorf("%s: behind it comes %q", path, rest)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "marked")); err == nil {
		t.Error("the next request on the connection was answered")
	}
}
