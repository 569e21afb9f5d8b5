package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/histogram"
	"passenger/lib/protocol"
	"passenger/lib/unixsock"
)

// serve starts s on a socket of its own and returns that socket's path.
func serve(t *testing.T, s *Server) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ct")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := unixsock.Listen(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		os.RemoveAll(dir)
	})
	return path
}

func raw(t *testing.T, path, request string) string {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCallCarriesRequestReplyAndError(t *testing.T) {
	t.Parallel()
	s := &Server{Program: "passenger-test", Release: "1"}
	s.Register(Call{Method: "POST", Path: "/v1/echo", Access: protocol.Changes, Handler: func(r *Request) (any, error) {
		var in struct{ Text string }
		if err := Decode(r, &in); err != nil {
			return nil, err
		}
		if in.Text == "" {
			return nil, &protocol.Error{Code: protocol.CodeConflict, Message: "no text", Hint: "give one"}
		}
		return map[string]string{"text": in.Text, "field_of_a_newer_version": "x"}, nil
	}})
	c := NewClient(serve(t, s), "test", "1")

	var out struct{ Text string }
	in := map[string]any{"Text": "é", "field_of_a_newer_version": []int{1}}
	if err := c.Call(t.Context(), "POST", "/v1/echo", in, &out); err != nil {
		t.Fatal(err)
	}
	if out.Text != "é" {
		t.Errorf("got %q, want %q", out.Text, "é")
	}

	var pe *protocol.Error
	err := c.Call(t.Context(), "POST", "/v1/echo", struct{}{}, &out)
	if !errors.As(err, &pe) || pe.Code != protocol.CodeConflict || pe.Hint != "give one" {
		t.Errorf("got error %#v, want code conflict with its hint", err)
	}
	err = c.Call(t.Context(), "GET", "/v1/nonsense", nil, nil)
	if !errors.As(err, &pe) || pe.Code != protocol.CodeUnknownRequest {
		t.Errorf("got error %v, want code unknown-request", err)
	}
}

func TestCallOnADeadSocketIsErrDown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	err := NewClient(filepath.Join(dir, "s"), "test", "1").Call(t.Context(), "GET", "/v1/info", nil, nil)
	if !errors.Is(err, ErrDown) {
		t.Errorf("got %v, want ErrDown", err)
	}
}

// A socket that refuses us is named as what it is, a path, and not as Go sees it.
func TestCallNamesTheSocketThatRefuses(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "d")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}) // no stream
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = NewClient(socket, "test", "1").Call(t.Context(), "GET", "/v1/apps", nil, nil)
	if want := "connect to " + socket + ": protocol wrong type for socket"; err == nil || err.Error() != want || !errors.Is(err, syscall.EPROTOTYPE) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestInfoAndHealth(t *testing.T) {
	t.Parallel()
	s := &Server{Program: "passenger-test", Release: "9", Healthy: func() error { return errors.New("no spawner") }}
	path := serve(t, s)
	var info protocol.Info
	if err := NewClient(path, "test", "1").Call(t.Context(), "GET", protocol.PathInfo, nil, &info); err != nil {
		t.Fatal(err)
	}
	if info.Program != "passenger-test" || info.Version != "9" || info.PID != os.Getpid() {
		t.Errorf("got %+v", info)
	}
	got := raw(t, path, "GET /v1/health HTTP/1.0\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.0 503") || !strings.Contains(got, `"reason":"no spawner"`) {
		t.Errorf("got %q", got)
	}
}

func TestServerListsItsCalls(t *testing.T) {
	t.Parallel()
	var feed Feed[int]
	s := &Server{Program: "passenger-test", Release: "1"}
	s.Register(
		Call{Method: "GET", Path: "/v1/numbers", Access: protocol.Reads, Feed: &feed},
		Call{Method: "DELETE", Path: "/v1/numbers/{id}", Access: protocol.Changes, Handler: Named("id", func(*Request, string) (any, error) { return nil, nil })},
	)
	c := NewClient(serve(t, s), "test", "1")
	var got protocol.CallList
	if err := c.Call(t.Context(), "GET", protocol.PathCalls, nil, &got); err != nil {
		t.Fatal(err)
	}
	want := []protocol.Call{
		{Method: "GET", Path: "/v1", Access: "read"},
		{Method: "GET", Path: "/v1/info", Access: "read"},
		{Method: "GET", Path: "/v1/health", Access: "read"},
		{Method: "GET", Path: "/metrics", Access: "read"},
		{Method: "GET", Path: "/v1/numbers", Access: "read", Watch: true},
		{Method: "DELETE", Path: "/v1/numbers/{id}", Access: "change"},
	}
	if diff := cmp.Diff(want, got.Calls); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var pe *protocol.Error
	err := c.Call(t.Context(), "DELETE", "/v1/numbers/A%2fB", nil, nil)
	if !errors.As(err, &pe) || pe.Code != protocol.CodeBadRequest {
		t.Errorf("a name that cannot exist: got %v, want code bad-request", err)
	}
}

// X40, Caddy 2026-27589, 2026-45692: among others, what a page in a browser sends.
func TestServerRefuses(t *testing.T) {
	t.Parallel()
	s := &Server{Program: "passenger-test", Release: "1"}
	s.Register(Call{Method: "PUT", Path: "/v1/big", Access: protocol.Changes, Handler: func(r *Request) (any, error) {
		var v any
		return nil, Decode(r, &v)
	}})
	path := serve(t, s)
	tests := []struct{ name, request, want string }{
		{"a browser", "GET /v1/info HTTP/1.0\r\nOrigin: http://evil.example\r\n\r\n", `"code":"not-allowed"`},
		{"a newer protocol", "GET /v1/info HTTP/1.0\r\nPassenger-Protocol: 99\r\n\r\n", `"code":"version-mismatch"`},
		{"no JSON", "PUT /v1/big HTTP/1.0\r\nContent-Length: 4\r\n\r\n{{{{", `"code":"bad-request"`},
		{"a key that stands twice", "PUT /v1/big HTTP/1.0\r\nContent-Length: 25\r\n\r\n" + `{"a": [{"b": 1, "b": 2}]}`, `the body has the key \"a.b\" twice`},
		{"a body over the limit", fmt.Sprintf("PUT /v1/big HTTP/1.0\r\nContent-Length: %d\r\n\r\n[%s", protocol.MaxBody+2, strings.Repeat(" ", protocol.MaxBody+1)), `"code":"too-large"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := raw(t, path, tt.request); !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want it to contain %s", got, tt.want)
			}
		})
	}
}

func TestWatchSeesTheNewestAndNoBacklog(t *testing.T) {
	t.Parallel()
	var feed Feed[int]
	feed.Set(1)
	s := &Server{Program: "passenger-test", Release: "1"}
	s.Register(Call{Method: "GET", Path: "/v1/number", Access: protocol.Reads, Feed: &feed})
	c := NewClient(serve(t, s), "test", "1")

	const last = 1000
	done := errors.New("seen the last")
	var seen []int
	err := Watch(t.Context(), c, "/v1/number", func(n int) error {
		seen = append(seen, n)
		switch n {
		case 1:
			// While this reader is busy a thousand values come and go.
			for i := 2; i <= last; i++ {
				feed.Set(i)
			}
		case last:
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Fatalf("got error %v", err)
	}
	if len(seen) > 100 {
		t.Errorf("got %d values, want the first, the last and few between", len(seen))
	}
}

// A difference is a value that tells by how much it is higher than another.
type difference struct{ Value, Base int }

func (d difference) Since(before any) any {
	return difference{d.Value - before.(difference).Value, before.(difference).Value}
}

func TestWatchTellsChangesToThoseWhoAsk(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"/v1/number": "[{5 0} {7 0} {10 0}]", "/v1/number?changes=1": "[{5 0} {2 5} {3 7}]"} {
		var feed Feed[difference]
		feed.Set(difference{Value: 5})
		s := &Server{Program: "passenger-test", Release: "1"}
		s.Register(Call{Method: "GET", Path: "/v1/number", Access: protocol.Reads, Feed: &feed})
		done := errors.New("seen three")
		var seen []difference
		err := Watch(t.Context(), NewClient(serve(t, s), "test", "1"), path, func(d difference) error {
			switch seen = append(seen, d); len(seen) {
			case 1:
				feed.Set(difference{Value: 7})
			case 2:
				feed.Set(difference{Value: 10})
			default:
				return done
			}
			return nil
		})
		if got := fmt.Sprint(seen); !errors.Is(err, done) || got != want {
			t.Errorf("%s: got %s, %v, want %s", path, got, err, want)
		}
	}
}

// A deadlines records the last read deadline.
type deadlines struct {
	net.Conn
	last time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.last = t
	return nil
}

// A deadline that outlived the body would end a long call, such as a spawn.
func TestBodyDeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	s := &Server{Program: "passenger-test", Release: "1", stop: t.Context()}
	ours, theirs := net.Pipe()
	defer theirs.Close()
	d := &deadlines{Conn: ours}
	reached := false
	s.Register(Call{Method: "POST", Path: "/v1/echo", Access: protocol.Changes, Handler: func(r *Request) (any, error) {
		reached = true
		if d.last.IsZero() {
			t.Error("no deadline for the body")
		}
		var in struct{ Text string }
		if err := Decode(r, &in); err != nil || !d.last.IsZero() {
			t.Errorf("after the body: error %v, deadline %v", err, d.last)
		}
		return nil, nil
	}})
	c := newConn(s, d)
	c.peer = &unixsock.Peer{UID: os.Geteuid()}
	served := make(chan struct{})
	go func() { c.serve(); close(served) }()
	if _, err := io.WriteString(theirs, "POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n"+`{"text": "x"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4096)
	if n, err := theirs.Read(answer); err != nil || !reached {
		t.Errorf("refused: %s, %v", answer[:n], err)
	}
	theirs.Close()
	<-served
}

func TestWatchEndsWithTheServer(t *testing.T) {
	t.Parallel()
	var feed Feed[int]
	s := &Server{Program: "passenger-test", Release: "1"}
	s.Register(Call{Method: "GET", Path: "/v1/number", Access: protocol.Reads, Feed: &feed})
	dir := t.TempDir()
	l, err := unixsock.Listen(filepath.Join(dir, "s"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	err = Watch(t.Context(), NewClient(l.Addr().String(), "test", "1"), "/v1/number", func(int) error {
		stop()
		return nil
	})
	if err == nil || errors.Is(err, ErrDown) {
		t.Errorf("got %v, want an end of the stream", err)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestMetricsText(t *testing.T) {
	t.Parallel()
	var m Metrics
	m.Gauge("b", "Second.", 0.5)
	m.Counter("a_total", "First.", 2, "app", `sh"op\`, "host", "x\ny")
	m.Gauge("b", "Second.", 1, "app", "shop")
	h := histogram.New([]time.Duration{5 * time.Millisecond, 2 * time.Second})
	h.Add(time.Second)
	h.Add(time.Minute)
	m.Histogram("c_seconds", "Third.", h.Snapshot(), "app", "no UTF-8: \xff")
	m.Histogram("c_seconds", "Third.", histogram.New(nil).Snapshot())
	want := `# HELP b Second.
# TYPE b gauge
b 0.5
b{app="shop"} 1
# HELP a_total First.
# TYPE a_total counter
a_total{app="sh\"op\\",host="x\ny"} 2
# HELP c_seconds Third.
# TYPE c_seconds histogram
c_seconds_bucket{app="no UTF-8: �",le="0.005"} 0
c_seconds_bucket{app="no UTF-8: �",le="2"} 1
c_seconds_bucket{app="no UTF-8: �",le="+Inf"} 2
c_seconds_sum{app="no UTF-8: �"} 61
c_seconds_count{app="no UTF-8: �"} 2
c_seconds_bucket{le="+Inf"} 0
c_seconds_sum 0
c_seconds_count 0
`
	if got := string(m.Text()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
