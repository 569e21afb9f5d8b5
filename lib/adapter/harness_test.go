package adapter

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// bound is the longest that any single wait of a test may take.
const bound = time.Minute

// A process is an adapter with an app, started as the spawner does: the
// listening socket is descriptor 3, the notify socket descriptor 4, LISTEN_PID
// is exact, and it leads its own process group.
type process struct {
	cmd    *exec.Cmd
	socket string
	notify *net.UnixConn
	output *output
	exited chan struct{} // closed when the process was reaped
	apart  bool          // it takes names apart from values, as it has said
}

// An output collects what a process writes to stdout and stderr.
type output struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// need skips the test if program is missing; with CI=true it fails instead.
func need(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", program)
	}
	t.Skipf("%s is not installed", program)
}

// testApp returns the folder of one of the applications in testscripts/apps.
func testApp(t testing.TB, name string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "testscripts", "apps", name))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// writeApp writes an app of the given files and returns its folder.
func writeApp(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// start starts spec's app; env are additional NAME=VALUE. The test's end kills
// the process with its group.
func start(t testing.TB, spec Spec, env ...string) *process {
	t.Helper()
	dir := shortDir(t)
	set, err := Install(dir)
	if err != nil {
		t.Fatal(err)
	}
	inv, err := set.Invocation(spec)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{socket: filepath.Join(dir, "app.sock"), output: &output{}, exited: make(chan struct{})}

	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: p.socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	listener.SetUnlinkOnClose(false)
	socket, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	report := p.listenForNotice(t, filepath.Join(dir, "notify"))
	defer report.Close()

	p.cmd = exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ exec "$@"`, "sh"}, inv.Args...)...)
	p.cmd.Dir = spec.AppRoot
	p.cmd.Env = append(os.Environ(), "PWD="+spec.AppRoot,
		"RAILS_ENV=production", "RACK_ENV=production", "WSGI_ENV=production", "NODE_ENV=production",
		"PASSENGER_APP_ENV=production", "IN_PASSENGER=1",
		"LISTEN_FDS=1", "PASSENGER_NOTIFY_FD=4", "NOTIFY_SOCKET=@none")
	p.cmd.Env = append(append(p.cmd.Env, inv.Env...), env...)
	p.cmd.ExtraFiles = []*os.File{socket, report}
	p.run(t)
	return p
}

// listenForNotice makes the notify socket at path and returns the process's
// end of it.
func (p *process) listenForNotice(t testing.TB, path string) *os.File {
	t.Helper()
	var err error
	p.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.notify.Close() })
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	f, err := conn.File()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// sessionApart is what a process says that takes names apart from values, and
// requests that went ahead.
const sessionApart = "\nX_PASSENGER_SESSION=2\nX_PASSENGER_SESSION=3"

// notice returns the next datagram that the process sent, but for which form of
// the session protocol it knows: that is p.apart from then on.
func (p *process) notice(t testing.TB) string {
	t.Helper()
	p.notify.SetReadDeadline(time.Now().Add(bound))
	buf := make([]byte, 16<<10)
	n, err := p.notify.Read(buf)
	if err != nil {
		t.Fatalf("no notice: %v\noutput:\n%s", err, p.output)
	}
	text, _, apart := strings.Cut(string(buf[:n]), sessionApart)
	if apart {
		p.apart = true
		text = strings.Replace(string(buf[:n]), sessionApart, "", 1)
	}
	return text
}

// startReady starts spec's app and waits until it is ready.
func startReady(t testing.TB, spec Spec, env ...string) *process {
	t.Helper()
	p := start(t, spec, env...)
	if got := p.notice(t); strings.TrimSpace(got) != "READY=1" {
		t.Fatalf("got notice %q, want READY=1\noutput:\n%s", got, p.output)
	}
	return p
}

// signal sends sig to the process, not to its group.
func (p *process) signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// wait waits for the process's exit and returns its status, -1 for a signal.
func (p *process) wait(t testing.TB) int {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(bound):
		t.Fatalf("process did not exit\noutput:\n%s", p.output)
	}
	return p.cmd.ProcessState.ExitCode()
}

// awaitOutput waits until the process has written text.
func (p *process) awaitOutput(t testing.TB, text string) {
	t.Helper()
	for end := time.Now().Add(bound); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if strings.Contains(p.output.String(), text) {
			return
		}
	}
	t.Fatalf("output lacks %q:\n%s", text, p.output)
}

// awaitCount waits until the process has written text n times.
func (p *process) awaitCount(t testing.TB, text string, n int) {
	t.Helper()
	for end := time.Now().Add(bound); strings.Count(p.output.String(), text) < n && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	if got := strings.Count(p.output.String(), text); got != n {
		t.Errorf("got %q %d times, want %d:\n%s", text, got, n, p.output)
	}
}

// client returns an HTTP client whose every connection goes to the process.
// It is for apps that speak HTTP; the host in the URL does not matter.
func (p *process) client() *http.Client {
	return &http.Client{
		Timeout: bound,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", p.socket)
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// A session is a connection that speaks the session protocol, as the proxy's.
type session struct {
	net.Conn
	r     *bufio.Reader
	apart bool // names apart from values
}

// dial opens a session. Its reads and writes are bounded.
func (p *process) dial(t testing.TB) *session {
	t.Helper()
	conn, err := net.Dial("unix", p.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(bound))
	return &session{conn, bufio.NewReaderSize(conn, 64<<10), p.apart}
}

// A request is what a session sends. The zero value of a field means what is
// usual: GET, "/", no body.
type request struct {
	method string
	uri    string
	base   string            // SCRIPT_NAME
	env    map[string]string // further pairs
	body   string

	// chunks are sent as a body of unknown length if they are not nil.
	chunks []string

	apart   bool // names apart from values
	follows bool // another request may follow before the answer is complete; for names apart
}

// head returns the netstring of r.
func (r request) head() string {
	pairs := r.pairs()
	var names, values []string
	for _, pair := range pairs {
		names, values = append(names, pair[0]), append(values, pair[1])
	}
	var block string
	if r.apart {
		if r.follows {
			block = "+"
		}
		block += strings.Join(names, ",") + "\x00" + strings.Join(values, "\x00") + "\x00"
	} else {
		for i, name := range names {
			block += name + "\x00" + values[i] + "\x00"
		}
	}
	return fmt.Sprintf("%d:%s,", len(block), block)
}

// pairs returns r's variables, in order.
func (r request) pairs() (pairs [][2]string) {
	method, uri := r.method, r.uri
	if method == "" {
		method = "GET"
	}
	if uri == "" {
		uri = "/"
	}
	path, query, _ := strings.Cut(uri, "?")
	pair := func(name, value string) { pairs = append(pairs, [2]string{name, value}) }
	if r.chunks != nil {
		pair("CONTENT_LENGTH", "")
		pair("TRANSFER_ENCODING", "chunked")
	} else {
		pair("CONTENT_LENGTH", fmt.Sprint(len(r.body)))
	}
	if !r.apart {
		pair("SCGI", "1")
	}
	pair("REQUEST_METHOD", method)
	pair("REQUEST_URI", uri)
	pair("SCRIPT_NAME", r.base)
	pair("PATH_INFO", strings.TrimPrefix(path, r.base))
	pair("QUERY_STRING", query)
	pair("SERVER_NAME", "example.com")
	pair("SERVER_PORT", "80")
	pair("SERVER_PROTOCOL", "HTTP/1.1")
	pair("SERVER_SOFTWARE", "passenger/test")
	pair("REMOTE_ADDR", "127.0.0.1")
	pair("REMOTE_PORT", "40000")
	pair("HTTP_HOST", "example.com")
	for _, name := range slices.Sorted(maps.Keys(r.env)) {
		pair(name, r.env[name])
	}
	return pairs
}

// bytes returns r as it goes over the wire.
func (r request) bytes() string {
	if r.chunks == nil {
		return r.head() + r.body
	}
	var b strings.Builder
	b.WriteString(r.head())
	for _, c := range r.chunks {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(c), c)
	}
	b.WriteString("0\r\n\r\n")
	return b.String()
}

// send sends r. A process that does not read it is no failure of the test: it
// may have answered and closed.
func (s *session) send(r request) {
	r.apart = s.apart
	io.WriteString(s, r.bytes())
}

// A response is what a session received.
type response struct {
	*http.Response
	body string
	err  error // why the body is not whole, nil if it is
}

// receive reads one response to a request of the given method.
func (s *session) receive(t testing.TB, method string) response {
	t.Helper()
	resp, err := http.ReadResponse(s.r, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no response to %s: %v", method, err)
	}
	body, err := io.ReadAll(resp.Body)
	return response{resp, string(body), err}
}

// do sends r and reads the response, which must be whole.
func (s *session) do(t testing.TB, r request) response {
	t.Helper()
	go s.send(r) // the process may answer before it has read a long body
	resp := s.receive(t, r.method)
	if resp.err != nil {
		t.Fatalf("%s %s: body ends early: %v", r.method, r.uri, resp.err)
	}
	return resp
}

// closed fails the test unless the process has closed the connection and sent
// nothing more.
func (s *session) closed(t testing.TB) {
	t.Helper()
	rest, err := io.ReadAll(s.r)
	if len(rest) > 0 || err != nil && !strings.Contains(err.Error(), "reset by peer") {
		t.Errorf("got %q and error %v, want a closed connection", rest, err)
	}
}
