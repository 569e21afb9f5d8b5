package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/forwarded"
	"passenger/lib/proxy/listen"
	"passenger/lib/proxy/wire"
)

// patience bounds every wait of a test.
const patience = time.Minute

// A fake is an application process: it accepts on a unix socket, reads
// requests in one of the two protocols, and lets a function answer.
type fake struct {
	route    protocol.RouteProcess
	listener net.Listener
	accepted atomic.Int64 // connections
	open     atomic.Int64 // connections not closed by either side yet
	requests atomic.Int64
	bytes    atomic.Int64 // read
	conns    sync.Map
	killed   chan struct{} // closed by kill
	once     sync.Once
}

// A call is one request that came to a fake.
type call struct {
	t        testing.TB
	Method   string
	Target   string
	Header   http.Header       // of an HTTP request
	Vars     map[string]string // of a session
	Body     io.Reader
	Trailer  func() http.Header // of an HTTP request, once the body was read
	Conn     net.Conn
	In       *bufio.Reader
	First    bool // on its connection
	Follows  bool // another request may follow before the answer is complete
	Upstream *fake
}

// header returns a request field whatever the protocol.
func (c *call) header(name string) string {
	if c.Vars != nil {
		return c.Vars["HTTP_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))]
	}
	return strings.Join(c.Header.Values(name), ", ")
}

func (c *call) body() string {
	b, err := io.ReadAll(c.Body)
	if err != nil {
		return "error: " + err.Error()
	}
	return string(b)
}

func (c *call) reply(format string, args ...any) {
	fmt.Fprintf(c.Conn, format, args...)
}

// ok replies 200 with a body.
func (c *call) ok(body string) {
	c.reply("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// A behaviour handles a call and says whether the connection goes on.
type behaviour func(*call) bool

// say answers every request with a text.
func say(text string) behaviour {
	return func(c *call) bool {
		io.Copy(io.Discard, c.Body)
		c.ok(text)
		return true
	}
}

var fakes atomic.Int64

// start starts a fake. concurrency is as in its route.
func start(t testing.TB, proto string, concurrency int, answer behaviour) *fake {
	t.Helper()
	dir, err := os.MkdirTemp("", "fake")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{listener: l, killed: make(chan struct{}), route: protocol.RouteProcess{
		ID: fmt.Sprintf("p%03d", fakes.Add(1)), PID: 1, Address: "unix:" + path, DataProtocol: proto, Concurrency: concurrency,
	}}
	if proto == apart {
		f.route.DataProtocol, f.route.SessionForm = protocol.ProtocolSession, protocol.SessionApart
	}
	if proto == ahead {
		f.route.DataProtocol, f.route.SessionForm = protocol.ProtocolSession, protocol.SessionAhead
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.accepted.Add(1)
			f.open.Add(1)
			f.conns.Store(c, true)
			wg.Go(func() {
				f.serve(t, c, answer)
				c.Close()
				f.conns.Delete(c)
				f.open.Add(-1)
			})
		}
	})
	t.Cleanup(func() { f.kill(); wg.Wait() })
	return f
}

// kill closes everything, as the death of the process would.
func (f *fake) kill() {
	// As the kernel does it: descriptor 3 goes first.
	f.listener.Close()
	f.once.Do(func() { close(f.killed) })
	f.conns.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
}

type countingReader struct {
	io.Reader
	n *atomic.Int64
}

func (r countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n.Add(int64(n))
	return n, err
}

func (f *fake) serve(t testing.TB, conn net.Conn, answer behaviour) {
	in := bufio.NewReader(countingReader{conn, &f.bytes})
	for first := true; ; first = false {
		c := &call{t: t, Conn: conn, In: in, First: first, Upstream: f}
		var err error
		if f.route.DataProtocol == protocol.ProtocolSession {
			err = c.readSession()
		} else {
			err = c.readHTTP()
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
				t.Errorf("the app got a bad request: %v", err)
			}
			return
		}
		f.requests.Add(1)
		if !answer(c) {
			return
		}
		if _, err := io.Copy(io.Discard, c.Body); err != nil {
			return
		}
	}
}

func (c *call) readHTTP() error {
	if _, err := c.In.Peek(1); err != nil {
		return io.EOF
	}
	r, err := http.ReadRequest(c.In)
	if err != nil {
		return err
	}
	c.Method, c.Target, c.Header, c.Body = r.Method, r.RequestURI, r.Header, r.Body
	c.Header.Set("Host", r.Host)
	c.Trailer = func() http.Header { return r.Trailer }
	return nil
}

func (c *call) readSession() error {
	length, err := c.In.ReadString(':')
	if err != nil {
		return io.EOF
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
	if err != nil {
		return fmt.Errorf("netstring: %w", err)
	}
	block := make([]byte, n+1)
	if _, err := io.ReadFull(c.In, block); err != nil {
		return err
	}
	if block[n] != ',' || block[n-1] != 0 {
		return fmt.Errorf("block %q does not end", block)
	}
	parts := strings.Split(string(block[:n-1]), "\x00")
	if names := strings.Split(parts[0], ","); len(names) > 1 && c.Upstream.route.SessionForm >= protocol.SessionApart {
		if c.Upstream.route.SessionForm == protocol.SessionAhead {
			names[0], c.Follows = strings.CutPrefix(names[0], "+")
		}
		values := parts[1:]
		if len(names) != len(values) {
			return fmt.Errorf("block %q has not as many values as names", block)
		}
		parts = nil
		for i, name := range names {
			parts = append(parts, name, values[i])
		}
	}
	if len(parts)%2 != 0 || parts[0] != "CONTENT_LENGTH" {
		return fmt.Errorf("block %q is not a list of pairs", block)
	}
	c.Vars = map[string]string{}
	for i := 0; i < len(parts); i += 2 {
		if _, twice := c.Vars[parts[i]]; twice {
			return fmt.Errorf("%s comes twice", parts[i])
		}
		c.Vars[parts[i]] = parts[i+1]
	}
	c.Method, c.Target = c.Vars["REQUEST_METHOD"], c.Vars["REQUEST_URI"]
	if c.Vars["TRANSFER_ENCODING"] == "chunked" {
		c.Body = &dechunk{httputil.NewChunkedReader(c.In), c.In, false}
		return nil
	}
	size, err := strconv.ParseInt(c.Vars["CONTENT_LENGTH"], 10, 64)
	c.Body = &exactReader{c.In, size}
	return err
}

// An exactReader fails if the body ends before its length.
type exactReader struct {
	r    io.Reader
	left int64
}

func (e *exactReader) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// dechunk reads the line end that httputil leaves.
type dechunk struct {
	r    io.Reader
	in   *bufio.Reader
	done bool
}

func (d *dechunk) Read(p []byte) (int, error) {
	if d.done {
		return 0, io.EOF
	}
	n, err := d.r.Read(p)
	if d.done = err == io.EOF; d.done {
		if line, lerr := d.in.ReadString('\n'); lerr != nil || line != "\r\n" {
			return n, fmt.Errorf("after the last chunk: %q, %v", line, lerr)
		}
	}
	return n, err
}

// A server is a proxy under test.
type server struct {
	*Proxy
	t       testing.TB
	addr    string
	unix    string
	version uint64
	cancel  context.CancelFunc
	end     context.CancelCauseFunc // cancels with a cause
	stopped chan struct{}
}

// quick are timeouts that no test meets by accident.
var quick = Timeouts{Header: patience, Body: patience, Idle: patience, Write: patience, Drain: patience, HalfClose: patience}

func serve(t testing.TB, c Config, routes ...protocol.Route) *server {
	t.Helper()
	return serveAlso(t, nil, c, routes...)
}

// serveAlso is serve with further listeners.
func serveAlso(t testing.TB, more []net.Listener, c Config, routes ...protocol.Route) *server {
	t.Helper()
	if c.Timeouts == (Timeouts{}) {
		c.Timeouts = quick
	}
	s := &server{Proxy: New(c), t: t, stopped: make(chan struct{})}
	s.clock.Tick = min(s.clock.Tick, 10*time.Millisecond)
	dir, err := os.MkdirTemp("", "proxy")
	if err != nil {
		t.Fatal(err)
	}
	s.unix = filepath.Join(dir, "s")
	tcp, err := listen.At("127.0.0.1:0", listen.SocketFile{})
	if err != nil {
		t.Fatal(err)
	}
	unix, err := listen.At("unix:"+s.unix, listen.SocketFile{})
	if err != nil {
		t.Fatal(err)
	}
	s.addr = tcp.Addr().String()
	s.set(routes...)
	ctx, end := context.WithCancelCause(context.Background())
	cancel := func() { end(nil) }
	s.cancel, s.end = cancel, end
	go func() {
		defer close(s.stopped)
		s.Serve(ctx, append([]net.Listener{tcp, unix}, more...))
	}()
	t.Cleanup(func() {
		s.Timeouts.Drain = 0
		cancel()
		s.hurry()
		select {
		case <-s.stopped:
		case <-time.After(patience):
			t.Error("the proxy did not stop")
		}
		os.RemoveAll(dir)
	})
	return s
}

// set puts a new table into use.
func (s *server) set(routes ...protocol.Route) {
	s.version++
	s.SetRoutes(tableOf(s.version, routes...))
}

// pass has time go on by d for everything that waits on a connection. It
// returns when the proxy's clock says so.
func (s *server) pass(d time.Duration) {
	s.t.Helper()
	by := s.clock.Now.Load() + int64(d)
	s.clock.Ahead.Add(int64(d))
	eventually(s.t, "time passes", func() bool { return s.clock.Now.Load() >= by })
}

// awaitsBody says that a client keeps the proxy waiting within a request.
func (s *server) awaitsBody() (awaits bool) {
	s.clock.Each(func(c *wire.Conn) {
		k := clientOf(c)
		awaits = awaits || k != nil && !k.resting.Load() && c.WaitsUntil() > 0
	})
	return awaits
}

// writeWaits says that a client keeps a write waiting.
func (s *server) writeWaits() (waits bool) {
	s.clock.Each(func(c *wire.Conn) { waits = waits || clientOf(c) != nil && c.WriteWaits() })
	return waits
}

// tableOf is a table of routes, none of which was in one before.
func tableOf(version uint64, routes ...protocol.Route) *protocol.Routes {
	t := &protocol.Routes{Version: version}
	for _, r := range routes {
		t.Apps = append(t.Apps, &r)
	}
	return t
}

// route is a route to fakes for every host and path. Bodies are passed on as
// they come.
func route(fakes ...*fake) protocol.Route {
	r := protocol.Route{App: "app", BaseURI: "/", QueueSize: 100, QueueTime: 60, ReadTimeout: 60}
	r.BufferUpload = new(bool)
	for _, f := range fakes {
		r.Processes = append(r.Processes, f.route)
	}
	return r
}

// toldAll is r for an app that wants all headers that we can add.
func toldAll(r protocol.Route) protocol.Route {
	r.AddedHeaders = protocol.HeadersAll
	return r
}

// A peer is a raw client connection.
type peer struct {
	net.Conn
	t  testing.TB
	in *bufio.Reader
}

func (s *server) dial() *peer {
	s.t.Helper()
	return dialPeer(s.t, "tcp", s.addr)
}

func dialPeer(t testing.TB, network, addr string) *peer {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &peer{Conn: c, t: t, in: bufio.NewReader(c)}
}

func (p *peer) send(text string) *peer {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, text); err != nil {
		p.t.Fatalf("send: %v", err)
	}
	return p
}

// A reply is a whole response.
type reply struct {
	Status int
	Proto  string
	Header http.Header
	Body   string
	Err    error // of reading the body
	Close  bool
}

// receive reads one response to a request of the method.
func (p *peer) receive(method string) reply {
	p.t.Helper()
	r, err := http.ReadResponse(p.in, &http.Request{Method: method})
	if err != nil {
		p.t.Fatalf("receive: %v", err)
	}
	b, err := io.ReadAll(r.Body)
	return reply{r.StatusCode, r.Proto, r.Header, string(b), err, r.Close}
}

func (p *peer) get(path string) reply {
	p.t.Helper()
	return p.send("GET " + path + " HTTP/1.1\r\nHost: a.test\r\n\r\n").receive("GET")
}

// closed fails unless the proxy has closed the connection and sent no more.
func (p *peer) closed() {
	p.t.Helper()
	if b, err := io.ReadAll(p.in); len(b) > 0 || err != nil && !strings.Contains(err.Error(), "reset") {
		p.t.Errorf("got %q, %v; want the end", b, err)
	}
}

// eventually waits until ok, which is cheap, says yes.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for by := time.Now().Add(patience); !ok(); {
		if time.Now().After(by) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// within receives from c or fails.
func within[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain: %s", what)
		panic("unreachable")
	}
}

// apart stands for the session protocol of a process that says that it takes
// names apart from values.
const apart = "session-apart"

// ahead stands for that of a process that also says that it takes requests which
// went ahead.
const ahead = "session-ahead"

var dataProtocols = []string{protocol.ProtocolHTTP, protocol.ProtocolSession, apart}

// both runs a test with each data protocol.
func both(t *testing.T, f func(t *testing.T, proto string)) {
	for _, proto := range dataProtocols {
		t.Run(proto, func(t *testing.T) { t.Parallel(); f(t, proto) })
	}
}

func trust(t testing.TB, networks ...string) Config {
	t.Helper()
	list, err := forwarded.ParseNetworks(networks)
	if err != nil {
		t.Fatal(err)
	}
	return Config{Trusted: list}
}

var _ = netip.Prefix{}
