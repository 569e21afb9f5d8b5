package probe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"passenger/lib/protocol"
)

// served is an HTTP process that a handler answers for.
func served(t *testing.T, h http.HandlerFunc) protocol.Process {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return protocol.Process{ID: "p001", Address: "tcp:" + s.Listener.Addr().String(), DataProtocol: protocol.ProtocolHTTP}
}

func settings() protocol.AppConfig {
	return protocol.AppConfig{HealthPath: "/up?deep=1", HealthTimeout: 10, BaseURI: "/", ServerNames: []string{"*.example.com", "shop.example.com"}}
}

func TestHealthyProcessPasses(t *testing.T) {
	t.Parallel()
	p := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "shop.example.com" || r.RequestURI != "/up?deep=1" {
			t.Errorf("asked for %s on %s", r.RequestURI, r.Host)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	if err := Check(t.Context(), p, settings()); err != nil {
		t.Error(err)
	}
}

func TestProcessIsAskedAgain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	p := served(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	if err := Check(t.Context(), p, settings()); err != nil {
		t.Error(err)
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("asked %d times, want 3", n)
	}
}

// A slow is a context whose deadline is over some time before it ends.
type slow struct {
	context.Context
	end  atomic.Pointer[time.Time]
	late atomic.Int32 // how often it was asked for its deadline since that was over
	done chan struct{}
}

func (s *slow) Done() <-chan struct{} { return s.done }

func (s *slow) Deadline() (time.Time, bool) {
	end := *s.end.Load()
	if time.Now().After(end) && s.late.Add(1) == 10 {
		close(s.done)
	}
	return end, true
}

func (s *slow) Err() error {
	select {
	case <-s.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestSickProcessIsToldThoughTheNextConnectionComesTooLate(t *testing.T) {
	t.Parallel()
	ctx := &slow{Context: t.Context(), done: make(chan struct{})}
	ctx.end.Store(new(time.Now().Add(time.Hour)))
	c := settings()
	c.HealthTimeout = 2 * time.Hour.Seconds()
	p := served(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		ctx.end.Store(new(time.Now().Add(-time.Second)))
	})
	err := Check(ctx, p, c)
	if err == nil || !strings.Contains(err.Summary, "was answered with status 500") {
		t.Errorf("got %v", err)
	}
}

func TestSickProcessIsToldWithWhatItSaid(t *testing.T) {
	t.Parallel()
	p := served(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no database", http.StatusInternalServerError)
	})
	c := settings()
	c.HealthTimeout = 5 // the first answer comes by then
	e := Check(t.Context(), p, c)
	want := "GET /up?deep=1 was answered with status 500 Internal Server Error"
	if e == nil || e.Summary != want || len(e.Output) != 1 || e.Output[0] != "no database" || e.Category != protocol.CategoryHealth {
		t.Errorf("got %+v, want %q", e, want)
	}
}

func TestSilentProcessFails(t *testing.T) {
	t.Parallel()
	p := served(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	c := settings()
	c.HealthTimeout = 0.05
	if e := Check(t.Context(), p, c); e == nil || !strings.Contains(e.Summary, "no answer within 50ms") {
		t.Errorf("got %v", e)
	}
	c.WarmUp, c.HealthPath = []string{"/slow"}, ""
	if e := Check(t.Context(), p, c); e == nil || e.Summary != "warm-up request /slow was not answered: no answer within 50ms" {
		t.Errorf("got %v", e)
	}
}

func TestWarmUpComesFirstAndMayFail(t *testing.T) {
	t.Parallel()
	var paths []string
	p := served(t, func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		if r.URL.Path == "/b" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	c := settings()
	c.WarmUp = []string{"/a", "/b"}
	if err := Check(t.Context(), p, c); err != nil {
		t.Error(err)
	}
	if got := strings.Join(paths, " "); got != "/a /b /up" {
		t.Errorf("asked for %q", got)
	}
}

func TestSessionProtocol(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		b := bufio.NewReader(conn)
		length, _ := b.ReadString(':')
		n := 0
		fmt.Sscanf(length, "%d:", &n)
		block := make([]byte, n+1)
		io.ReadFull(b, block)
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		got <- string(block)
	}()
	p := protocol.Process{ID: "p001", Address: "unix:" + path, DataProtocol: protocol.ProtocolSession}
	a, err := Get(t.Context(), p, Request{Host: "localhost", Target: "/shop/up?deep=1", BaseURI: "/shop"})
	if err != nil || a.Code != 200 || a.Body != "ok" {
		t.Fatalf("got %+v, %v", a, err)
	}
	block := <-got
	for _, want := range []string{"CONTENT_LENGTH\x000\x00", "SCRIPT_NAME\x00/shop\x00", "PATH_INFO\x00/up\x00", "QUERY_STRING\x00deep=1\x00"} {
		if !strings.Contains(block, want) {
			t.Errorf("the block %q lacks %q", block, want)
		}
	}
}

// What a process answers with is the app's: it does not fill our memory.
func TestAnswerThatGoesOnForEverIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a field": strings.Repeat("x", 1<<16), "fields": strings.Repeat("x\r\nX: x", 1<<13),
		"interim answers": "x\r\n\r\n" + strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 1<<12) + "HTTP/1.1 102 Processing\r\nX: ",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			took := make(chan int, 1) // one send
			go func() {
				n := 0
				defer func() { took <- n }()
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				_, err = io.WriteString(conn, "HTTP/1.1 102 Processing\r\nX: ")
				for err == nil && n < 64<<20 {
					var wrote int
					wrote, err = io.WriteString(conn, text)
					n += wrote
				}
			}()
			p := protocol.Process{Address: "tcp:" + l.Addr().String(), DataProtocol: protocol.ProtocolHTTP}
			if got, err := Get(t.Context(), p, Request{Target: "/", Host: "a"}); err == nil {
				t.Errorf("got %+v, want an error", got)
			}
			if n := <-took; n > 16<<20 { // the kernel's buffers are in it
				t.Errorf("%d bytes went out, want %d and what the kernel holds at most", n, mostHeads+mostBody)
			}
		})
	}
}
