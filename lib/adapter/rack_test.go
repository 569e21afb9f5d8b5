package adapter

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"passenger/lib/protocol"
)

// startCases starts testdata/rack.
func startCases(t testing.TB) *process {
	t.Helper()
	need(t, "ruby")
	return startReady(t, Spec{Type: protocol.TypeRack, AppRoot: caseDir(t, "rack")})
}

// caseDir returns a folder in testdata.
func caseDir(t testing.TB, name string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// pattern returns n bytes that repeat nowhere near.
func pattern(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i/251)
	}
	return string(b)
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// chop returns s in pieces of n bytes.
func chop(s string, n int) []string {
	pieces := []string{}
	for len(s) > n {
		pieces, s = append(pieces, s[:n]), s[n:]
	}
	return append(pieces, s)
}

func TestRackResponses(t *testing.T) {
	t.Parallel()
	p := startCases(t)
	big := pattern(3 << 20)
	tests := []struct {
		name string
		request
		status int
		body   string
		length int64 // -1 for chunked
	}{
		{"array", request{uri: "/"}, 200, "hello", 5},
		{"length given", request{uri: "/head"}, 200, "hello", 5},
		{"HEAD", request{method: "HEAD", uri: "/head"}, 200, "", 5},
		{"no content", request{uri: "/204"}, 204, "", 0},
		{"not modified", request{uri: "/304"}, 304, "", 0},
		{"not found", request{uri: "/none"}, 404, "not found", 9},
		{"parts", request{uri: "/parts"}, 200, "hell\u00f6\xff", 7},
		{"many long parts", request{uri: "/many"}, 200, strings.Repeat("0123456789", 100000), 1000000},
		{"encodings that do not mix", request{uri: "/latin"}, 200, "\xe9", 1},
		{"each", request{uri: "/stream"}, 200, "piece 0\npiece 1\npiece 2\npiece 3\npiece 4\n", -1},
		{"coding that the app only names", request{uri: "/raw/uncoded"}, 200, "four", -1},
		{"another coding", request{uri: "/raw/identity"}, 200, "four", 4},
		{"more than the length", request{uri: "/raw/long"}, 200, "fou", 3},
		{"endless over the length", request{uri: "/raw/endless"}, 200, "four", 4},
		{"endless blanks behind the length", request{uri: "/raw/blank"}, 200, "four", 4},
		{"a hijack that cannot be called", request{uri: "/raw/hijack"}, 200, "x", 1},
		{"wrong length of an array", request{uri: "/raw/wrong"}, 200, "four", 4},
		{"numbers in headers", request{uri: "/raw/number"}, 200, "four", 4},
		{"echo", request{method: "POST", uri: "/echo", body: "abc"}, 200, "abc", 3},
		{"empty body", request{method: "POST", uri: "/echo"}, 200, "", 0},
		{"chunked body", request{method: "POST", uri: "/echo", chunks: []string{"abc", "defg"}}, 200, "abcdefg", 7},
		{"empty chunked body", request{method: "POST", uri: "/echo", chunks: []string{}}, 200, "", 0},
		{"long body", request{method: "PUT", uri: "/echo", body: big}, 200, big, int64(len(big))},
		{"long chunked body", request{method: "POST", uri: "/digest", chunks: chop(big, 5000)}, 200, digest(big), 64},
		{"rewind", request{method: "POST", uri: "/rewind", body: big}, 200, "100000 true " + digest(big), 76},
		{"rewind in memory", request{method: "POST", uri: "/rewind", chunks: chop(big[:110000], 999)}, 200, "100000 true " + digest(big[:110000]), 76},
		{"lines", request{method: "POST", uri: "/lines", body: "a\nbc\nd"}, 200, `"a\n" ["bc\n", "d"] nil`, 23},
		{"body not read", request{method: "POST", uri: "/ignore", body: big[:100000]}, 200, "not read", 8},
		{"exception", request{uri: "/raise"}, 500, "Internal Server Error\n", 22},
		{"exception that is no StandardError", request{uri: "/script"}, 500, "Internal Server Error\n", 22},
		{"CR in a header", request{uri: "/raw/carriage"}, 200, "x", 1},
		{"header in a header's name", request{uri: "/raw/split"}, 200, "x", 1},
		{"length that is none", request{uri: "/raw/length"}, 200, "x", 1},
		{"no body", request{uri: "/raw/nil"}, 500, "Internal Server Error\n", 22},
		{"a body that is none", request{uri: "/raw/string"}, 500, "Internal Server Error\n", 22},
		{"no body where there is none", request{uri: "/raw/nil204"}, 204, "", 0},
		{"endless at HEAD", request{method: "HEAD", uri: "/raw/endless"}, 200, "", 4},
		{"101 with nothing to call", request{uri: "/raw/switch"}, 500, "Internal Server Error\n", 22},
		{"interim status", request{uri: "/raw/early"}, 500, "Internal Server Error\n", 22},
		{"no response", request{uri: "/raw/nothing"}, 500, "Internal Server Error\n", 22},
	}
	s := p.dial(t) // one connection for all: each response ends where it says
	for _, test := range tests {
		raw := strings.HasPrefix(test.uri, "/raw/")
		if !raw {
			resp := s.do(t, test.request)
			if resp.StatusCode != test.status || resp.body != test.body {
				t.Errorf("%s with Rack::Lint: got %d %.80q, want %d %.80q", test.name, resp.StatusCode, resp.body, test.status, test.body)
			}
			test.uri = "/plain" + test.uri
		}
		resp := s.do(t, test.request)
		if resp.StatusCode != test.status || resp.body != test.body {
			t.Errorf("%s: got %d %.80q, want %d %.80q", test.name, resp.StatusCode, resp.body, test.status, test.body)
		}
		if resp.ContentLength != test.length {
			t.Errorf("%s: got length %d, want %d", test.name, resp.ContentLength, test.length)
		}
		if resp.Close {
			t.Fatalf("%s: the connection was closed", test.name)
		}
	}
	p.awaitOutput(t, "GET /raise: ")
	p.awaitOutput(t, "deliberate failure (RuntimeError)")
	p.awaitOutput(t, "closed stream")
}

func TestRackHeadersOfSeveralLines(t *testing.T) {
	t.Parallel()
	resp := startCases(t).dial(t).do(t, request{uri: "/cookies"})
	if got := fmt.Sprint(resp.Header.Values("Set-Cookie")); got != "[a=1 b=2]" {
		t.Errorf("got cookies %s, want [a=1 b=2]", got)
	}
}

func TestRackHeadersForTheServerStayHere(t *testing.T) {
	t.Parallel()
	resp := startCases(t).dial(t).do(t, request{uri: "/raw/internal"})
	for name := range resp.Header {
		if l := strings.ToLower(name); l == "status" || strings.HasPrefix(l, "rack.") {
			t.Errorf("the client got %s: %q", name, resp.Header[name])
		}
	}
	if got := resp.Header.Get("X-Status"); got != "c" || resp.StatusCode != 200 {
		t.Errorf("got %d and X-Status %q, want 200 and c", resp.StatusCode, got)
	}
}

func TestRackEnv(t *testing.T) {
	t.Parallel()
	resp := startCases(t).dial(t).do(t, request{
		method: "POST", uri: "/base/env?q=%C3%BC", base: "/base", body: "x",
		env: map[string]string{"HTTPS": "on", "CONTENT_TYPE": "text/plain", "HTTP_X_ONE": "1, 2"},
	})
	for _, want := range []string{
		"REQUEST_METHOD=POST", "SCRIPT_NAME=/base", "PATH_INFO=/env", "QUERY_STRING=q=%C3%BC",
		"REQUEST_URI=/base/env?q=%C3%BC", "SERVER_NAME=example.com", "SERVER_PORT=80",
		"SERVER_PROTOCOL=HTTP/1.1", "HTTP_HOST=example.com",
		"CONTENT_LENGTH=1", "CONTENT_TYPE=text/plain", "HTTP_X_ONE=1, 2", "REMOTE_ADDR=127.0.0.1",
		"rack.url_scheme=https", "rack.multithread=false", "rack.multiprocess=true",
		"rack.run_once=false", "rack.hijack?=true",
	} {
		if !strings.Contains("\n"+resp.body, "\n"+want+"\n") {
			t.Errorf("env lacks %s:\n%s", want, resp.body)
		}
	}
	rack2 := strings.Contains(resp.body, "rack.version=")
	if got := strings.Contains(resp.body, "\nHTTP_VERSION=HTTP/1.1\n"); got != rack2 {
		t.Errorf("env has HTTP_VERSION: %v, want %v, as Rack 2 wants it and Rack 3 does not:\n%s", got, rack2, resp.body)
	}
	if strings.Contains(resp.body, "SCGI") {
		t.Errorf("env has the protocol's own SCGI:\n%s", resp.body)
	}
}

func TestRackFile(t *testing.T) {
	t.Parallel()
	p := startCases(t)
	resp := p.dial(t).do(t, request{uri: "/file"})
	want, err := os.ReadFile(filepath.Join("testdata", "rack", "config.ru"))
	if err != nil {
		t.Fatal(err)
	}
	for _, resp := range []response{resp, p.dial(t).do(t, request{uri: "/raw/path"})} { // the second without a length of the app's
		if resp.body != string(want) || resp.ContentLength != int64(len(want)) {
			t.Errorf("got %d bytes, length %d, want %d", len(resp.body), resp.ContentLength, len(want))
		}
	}
}

func TestRackEarlyHints(t *testing.T) {
	t.Parallel()
	s := startCases(t).dial(t)
	s.send(request{uri: "/hints"})
	hints := s.receive(t, "GET")
	if got := len(hints.Header.Values("Link")); hints.StatusCode != 103 || got != 2 {
		t.Errorf("got status %d with %d links, want 103 with 2", hints.StatusCode, got)
	}
	if resp := s.receive(t, "GET"); resp.body != "hinted" {
		t.Errorf("got %q, want hinted", resp.body)
	}
}

func TestRackBrokenResponsesCloseTheConnection(t *testing.T) {
	t.Parallel()
	p := startCases(t)
	for uri, output := range map[string]string{
		"/late":      "half-way (RuntimeError)",
		"/raw/short": "sends 1 bytes less than its Content-Length: 5",
	} {
		s := p.dial(t)
		s.send(request{uri: uri})
		resp := s.receive(t, "GET")
		if resp.StatusCode != 200 || resp.err == nil {
			t.Errorf("%s: got status %d and a whole body %q, want one that breaks off", uri, resp.StatusCode, resp.body)
		}
		s.closed(t)
		p.awaitOutput(t, output)
		p.awaitOutput(t, "closed "+filepath.Base(uri))
	}
}

func TestRackAppsWishToCloseIsGranted(t *testing.T) {
	t.Parallel()
	s := startCases(t).dial(t)
	resp := s.do(t, request{uri: "/raw/close"})
	if !resp.Close || resp.body != "bye" {
		t.Errorf("got %q, close %v; want bye and close", resp.body, resp.Close)
	}
	s.closed(t)
}

func TestRackClientThatLeavesClosesTheBody(t *testing.T) {
	t.Parallel()
	p := startCases(t)
	s := p.dial(t)
	s.send(request{uri: "/endless"})
	if _, err := io.ReadFull(s.r, make([]byte, 100000)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	p.awaitOutput(t, "closed endless")
	if resp := p.dial(t).do(t, request{}); resp.body != "hello" {
		t.Errorf("got %q afterwards, want hello", resp.body)
	}
	if strings.Contains(p.output.String(), "EPIPE") {
		t.Errorf("a client that left is reported as an error:\n%s", p.output)
	}
}

func TestRackUploadThatBreaksOff(t *testing.T) {
	t.Parallel()
	p := startCases(t)
	for _, r := range []request{
		{method: "POST", uri: "/echo", body: "whole"},
		{method: "POST", uri: "/echo", chunks: []string{"whole"}},
	} {
		s := p.dial(t)
		io.WriteString(s, strings.TrimSuffix(r.bytes(), "0\r\n\r\n")[:len(r.head())+4])
		s.Close()
	}
	if resp := p.dial(t).do(t, request{}); resp.body != "hello" {
		t.Errorf("got %q afterwards, want hello", resp.body)
	}
}

func TestRackUnreadBodyOfAnySizeIsAnswered(t *testing.T) {
	t.Parallel()
	s := startCases(t).dial(t)
	resp := s.do(t, request{method: "POST", uri: "/ignore", body: pattern(20 << 20)})
	if resp.body != "not read" {
		t.Errorf("got %q, want an answer", resp.body)
	}
	s.closed(t)
}

func TestRackHijack(t *testing.T) {
	t.Parallel()
	p := startCases(t)
	s := p.dial(t)
	r := request{uri: "/hijack"}
	io.WriteString(s, r.head()+"early\n") // arrives with the request
	if line, err := s.r.ReadString('\n'); line != "HTTP/1.1 199 Hijacked\r\n" {
		t.Fatalf("got %q, %v, want the word that the app takes over", line, err)
	}
	s.r.ReadString('\n')
	resp := s.receive(t, "GET")
	if resp.StatusCode != 101 {
		t.Fatalf("got status %d, want 101", resp.StatusCode)
	}
	io.WriteString(s, "later\n")
	for _, want := range []string{"echo early\n", "echo later\n"} {
		if got, err := s.r.ReadString('\n'); got != want {
			t.Errorf("got %q and error %v, want %q", got, err, want)
		}
	}
	if resp := p.dial(t).do(t, request{}); resp.body != "hello" {
		t.Errorf("got %q beside the hijacked connection, want hello", resp.body)
	}
	s.Conn.(interface{ CloseWrite() error }).CloseWrite()
	s.closed(t)
}

func TestRackPartialHijackIsDelimited(t *testing.T) {
	t.Parallel()
	s := startCases(t).dial(t)
	s.send(request{uri: "/partial"})
	resp := s.receive(t, "GET")
	if resp.err != nil || resp.body != "part 0\npart 1\npart 2\n" || !resp.Close || resp.Header.Get("X-Passenger-Hijack") != "partial" {
		t.Errorf("got %q, error %v, %v; want three parts and close", resp.body, resp.err, resp.Header)
	}
	s.closed(t)
}

func TestRackPipelinedRequests(t *testing.T) {
	t.Parallel()
	s := startCases(t).dial(t)
	requests := []request{{uri: "/"}, {method: "POST", uri: "/echo", body: "one"}, {uri: "/none"},
		{method: "POST", uri: "/ignore", chunks: []string{"a", "b"}}, {uri: "/stream"}}
	var all strings.Builder
	for _, r := range requests {
		all.WriteString(r.bytes())
	}
	go io.WriteString(s, all.String())
	for i, want := range []string{"hello", "one", "not found", "not read", "piece 0"} {
		if resp := s.receive(t, "GET"); !strings.HasPrefix(resp.body, want) {
			t.Errorf("response %d: got %q, want %q", i, resp.body, want)
		}
	}
}

func TestRackConnectionsTakeTurns(t *testing.T) {
	t.Parallel()
	p := startCases(t)
	half := p.dial(t)
	head := request{uri: "/"}.head()
	io.WriteString(half, head[:len(head)/2]) // must not keep the others waiting

	var sessions []*session
	for range 10 {
		sessions = append(sessions, p.dial(t))
	}
	for range 20 {
		for _, s := range sessions {
			s.send(request{uri: "/"})
		}
		for i, s := range sessions {
			if resp := s.receive(t, "GET"); resp.body != "hello" {
				t.Fatalf("connection %d: got %q, want hello", i, resp.body)
			}
		}
	}
	io.WriteString(half, head[len(head)/2:])
	if resp := half.receive(t, "GET"); resp.body != "hello" {
		t.Errorf("got %q, want hello", resp.body)
	}
}

func TestRackHeaderBlockInSmallPieces(t *testing.T) {
	t.Parallel()
	s := startCases(t).dial(t)
	for _, b := range []byte(request{method: "POST", uri: "/echo", chunks: []string{"ab", "c"}}.bytes()) {
		if _, err := s.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if resp := s.receive(t, "POST"); resp.body != "abc" {
		t.Errorf("got %q, want abc", resp.body)
	}
}

func TestRackBadHeaderBlocksCloseTheConnection(t *testing.T) {
	t.Parallel()
	p := startCases(t)
	for _, bad := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "99999999999:", "3:abc;", "0:,", "12345678901234567890",
		"40:CONTENT_LENGTH\x00x\x00SCGI\x001\x00A\x00B\x00C\x00D\x00E\x00F\x00,",
	} {
		s := p.dial(t)
		io.WriteString(s, bad)
		s.Conn.(interface{ CloseWrite() error }).CloseWrite()
		s.closed(t)
	}
	if resp := p.dial(t).do(t, request{}); resp.body != "hello" {
		t.Errorf("got %q afterwards, want hello", resp.body)
	}
}

func TestRackResponseFinished(t *testing.T) {
	t.Parallel()
	p := startCases(t)
	p.dial(t).do(t, request{uri: "/finished"})
	p.awaitOutput(t, "finished 200 nil")
}

func TestRackStopsAfterTheRequest(t *testing.T) {
	t.Parallel()
	p := startCases(t)
	p.awaitOutput(t, "starting forked=false")
	idle := p.dial(t)
	idle.do(t, request{})
	s := p.dial(t)
	s.send(request{uri: "/slow"})
	p.awaitOutput(t, "slow begins")
	p.signal(t, syscall.SIGTERM)
	resp := s.receive(t, "GET")
	if resp.body != "slow ends" || !resp.Close {
		t.Errorf("got %q, close %v; want slow ends and close", resp.body, resp.Close)
	}
	if got := p.notice(t); got != "STOPPING=1" {
		t.Errorf("got notice %q, want STOPPING=1", got)
	}
	if status := p.wait(t); status != 0 {
		t.Errorf("got status %d, want 0", status)
	}
	idle.closed(t)
	if out := p.output.String(); !strings.Contains(out, "stopping\nat exit\n") {
		t.Errorf("output lacks the event and the exit handler:\n%s", out)
	}
}

func TestRackAnswersWhatHasArrivedBeforeItStops(t *testing.T) {
	t.Parallel()
	p := startCases(t)
	other := p.dial(t)
	other.do(t, request{})
	s := p.dial(t)
	s.send(request{uri: "/slow"})
	p.awaitOutput(t, "slow begins")
	other.send(request{})
	p.signal(t, syscall.SIGTERM)
	if resp := s.receive(t, "GET"); resp.body != "slow ends" {
		t.Errorf("got %q, want slow ends", resp.body)
	}
	if resp := other.receive(t, "GET"); resp.body != "hello" || !resp.Close {
		t.Errorf("got %q, close %v on the other connection; want hello and close", resp.body, resp.Close)
	}
	if status := p.wait(t); status != 0 {
		t.Errorf("got status %d, want 0", status)
	}
}

func TestRackStopsWhenIdle(t *testing.T) {
	t.Parallel()
	p := startCases(t)
	p.signal(t, syscall.SIGTERM)
	if status := p.wait(t); status != 0 {
		t.Errorf("got status %d, want 0", status)
	}
}

func TestRackAppMayExit(t *testing.T) {
	t.Parallel()
	p := startCases(t)
	s := p.dial(t)
	if resp := s.do(t, request{uri: "/raw/exit"}); resp.StatusCode != 500 {
		t.Errorf("got status %d, want 500", resp.StatusCode)
	}
	if status := p.wait(t); status != 7 {
		t.Errorf("got exit status %d, want the app's own 7", status)
	}
}

func TestRackPrintsBacktracesOnQuit(t *testing.T) {
	t.Parallel()
	p := startCases(t)
	s := p.dial(t)
	s.send(request{uri: "/slow"})
	p.awaitOutput(t, "slow begins")
	p.signal(t, syscall.SIGQUIT)
	p.awaitOutput(t, "config.ru:")
	if resp := s.receive(t, "GET"); resp.body != "slow ends" {
		t.Errorf("got %q, want that the request goes on", resp.body)
	}
}

func TestRackContractIsHiddenFromTheApp(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	dir := writeApp(t, map[string]string{"config.ru": `
		found = ENV.keys.grep(/LISTEN|NOTIFY/)
		inherited = ` + "`ls /proc/self/fd`" + `.split.map(&:to_i) & [3, 4]
		locals = TOPLEVEL_BINDING.local_variables - [:binding, :builder]
		run ->(env) { [200, {}, ["#{found} #{locals} #{ARGV} #{__FILE__}:#{__LINE__}"]] }
		# ls opens the directory as 3
		raise "descriptor 4 is inherited" if inherited.include?(4)
	`})
	p := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: dir})
	resp := p.dial(t).do(t, request{})
	if want := "[] [] [] " + dir + "/config.ru:5"; resp.body != want {
		t.Errorf("got %q, want %q", resp.body, want)
	}
}

func BenchmarkRack(b *testing.B) {
	need(b, "ruby")
	dir := writeApp(b, map[string]string{"config.ru": `run ->(env) { [200, { "Content-Type" => "text/plain" }, ["hello"]] }`})
	p := startReady(b, Spec{Type: protocol.TypeRack, AppRoot: dir})
	for _, n := range []int{1, 32} {
		b.Run(fmt.Sprintf("connections=%d", n), func(b *testing.B) { benchmarkSessions(b, p, n) })
	}
}

// benchmarkSessions sends b.N trivial requests over n connections and reports
// what they cost the process.
func benchmarkSessions(b *testing.B, p *process, n int) {
	head := []byte(request{env: map[string]string{
		"HTTP_USER_AGENT": "wrk", "HTTP_X_FORWARDED_FOR": "127.0.0.1", "HTTP_X_FORWARDED_PROTO": "http",
	}}.head())
	failed := make(chan error, n) // one of each connection
	var sent atomic.Int64
	ask := func(s *session) error {
		buf := make([]byte, 4096)
		for sent.Add(1) <= int64(b.N) {
			s.SetDeadline(time.Now().Add(bound))
			if _, err := s.Write(head); err != nil {
				return err
			}
			got, err := s.Read(buf)
			if err != nil {
				return err
			}
			if !bytes.HasSuffix(buf[:got], []byte("\r\n\r\nhello")) {
				return fmt.Errorf("got %q", buf[:got])
			}
		}
		return nil
	}
	b.ResetTimer()
	before := cpuTime(b, p.cmd.Process.Pid)
	for range n {
		s := p.dial(b)
		go func() { failed <- ask(s) }()
	}
	for range n {
		if err := <-failed; err != nil {
			b.Fatal(err)
		}
	}
	used := cpuTime(b, p.cmd.Process.Pid) - before
	b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-µs/op")
}
