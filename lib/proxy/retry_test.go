package proxy

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"passenger/lib/protocol"
)

// closeSecond answers the first request on a connection and closes it when
// the second one comes.
func closeSecond(text string) behaviour {
	return func(c *call) bool {
		if !c.First {
			return false
		}
		c.ok(text + c.body())
		return true
	}
}

// A kept connection that ends before an answer is tried again only where the
// app cannot have acted twice.
func TestRequestsAreRepeatedOnlyWhenSafe(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 1, closeSecond("ok"))
		s := serve(t, Config{}, route(f))
		for _, c := range []struct {
			head   string
			status int
		}{
			{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200},
			{"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 200},
			{"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", 200},
			{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 502},
			{"PATCH / HTTP/1.1\r\nHost: a\r\n\r\n", 502},
			{"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", 502},
		} {
			if got := s.dial().get("/first"); got.Status != 200 {
				t.Fatalf("got %+v", got)
			}
			if got := s.dial().send(c.head).receive("GET"); got.Status != c.status {
				t.Errorf("%q: got %d, want %d", c.head, got.Status, c.status)
			}
		}
	})
}

// A fresh connection that ends without an answer may mean a request that
// killed the process: no other gets it.
func TestFreshConnectionsAreNotRepeated(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 1, func(*call) bool { return false })
		s := serve(t, Config{}, route(f))
		if got := s.dial().get("/"); got.Status != 502 {
			t.Errorf("got %d", got.Status)
		}
		if n := f.requests.Load(); n != 1 {
			t.Errorf("the app got it %d times", n)
		}
	})
}

// A request that could not even be begun goes elsewhere, whatever its method.
func TestDeadConnectionsCostNoRequest(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 1, func(c *call) bool { c.ok(c.body()); return true })
		s := serve(t, Config{}, route(f))
		p := s.dial()
		for range 20 {
			p.get("/")
			f.conns.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
			if got := p.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").receive("POST"); got.Body != "hi" {
				t.Fatalf("got %+v", got)
			}
		}
	})
}

func TestRefusedConnectionsGoToAnotherProcess(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		dead, alive := start(t, proto, 1, say("dead")), start(t, proto, 1, say("alive"))
		dead.kill()
		s := serve(t, Config{}, route(dead, alive))
		for range 5 {
			if got := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").receive("POST"); got.Body != "alive" {
				t.Errorf("got %+v", got)
			}
		}
		if r := s.snapshot().Processes[dead.route.ID]; !r.ConnectFailed || r.InFlight != 0 {
			t.Errorf("got %+v", r)
		}
	})
}

// If none accepts, the request waits for the pool to bring a new process.
func TestRefusedRequestsWaitForAnotherProcess(t *testing.T) {
	t.Parallel()
	dead := start(t, "session", 1, say("dead"))
	dead.kill()
	s := serve(t, Config{}, route(dead))
	p := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
	eventually(t, "its place", func() bool { return s.queued() == 1 && s.snapshot().Processes[dead.route.ID].ConnectFailed })
	s.set(route(start(t, "session", 1, say("new"))))
	if got := p.receive("POST"); got.Body != "new" {
		t.Errorf("got %+v", got)
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	dead := start(t, "session", 1, say("dead"))
	dead.kill()
	r := route(dead)
	r.QueueTime = 0.05
	s := serve(t, Config{}, r)
	if got := s.dial().get("/"); got.Status != 504 {
		t.Errorf("got %+v", got)
	}
}

// A process that dies takes with it only what it was doing.
func TestProcessDeathCostsOnlyItsOwnRequests(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		g := newGate()
		a := start(t, proto, 1, g.answer)
		s := serve(t, Config{}, route(a))
		lost := s.dial().send("GET /lost HTTP/1.1\r\nHost: a\r\n\r\n")
		within(t, g.came, "the call")
		waits := s.dial().send("POST /waits HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
		eventually(t, "its place", func() bool { return s.queued() == 1 })
		a.kill()
		if got := lost.receive("GET"); got.Status != 502 {
			t.Errorf("got %+v", got)
		}
		s.set(route(start(t, proto, 1, func(c *call) bool { c.ok(c.Target + c.body()); return true })))
		if got := waits.receive("POST"); got.Body != "/waitshi" {
			t.Errorf("got %+v", got)
		}
		g.open()
	})
}

// A request that goes on while its process closes the connection to tell that
// it goes away still gets its answer.
func TestAnswersWithCloseEndTheConnectionOnly(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		var n atomic.Int64
		f := start(t, proto, 1, func(c *call) bool {
			n.Add(1)
			c.reply("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
			return false
		})
		s := serve(t, Config{}, route(f))
		p := s.dial()
		for range 10 {
			if got := p.get("/"); got.Body != "ok" || got.Close {
				t.Fatalf("got %+v", got)
			}
		}
		if f.accepted.Load() != 10 {
			t.Errorf("got %d connections, want 10", f.accepted.Load())
		}
	})
}

// A backlog that is full is no death: the request waits for room.
func TestFullBacklogIsWaitedFor(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Skip(err) // the path of the temporary directory is too long here
	}
	defer l.Close()
	if err := shrinkBacklog(l); err != nil {
		t.Fatal(err)
	}
	r := route()
	r.Processes = append(r.Processes, start(t, "http", 0, say("")).route)
	r.Processes[0].Address = "unix:" + l.Addr().String()
	s := serve(t, Config{}, r)
	var peers []*peer
	for range 6 {
		peers = append(peers, s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	}
	eventually(t, "all are on their way", func() bool { return len(s.requests()) == 6 })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				b := make([]byte, 1000)
				for {
					if n, err := c.Read(b); err != nil || !strings.HasPrefix(string(b[:n]), "GET") {
						return
					}
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
			}()
		}
	}()
	for _, p := range peers {
		if got := p.receive("GET"); got.Status != 200 {
			t.Errorf("got %+v", got)
		}
	}
}

// The time for that begins when the request wants a process: its body may have
// taken long to come.
func TestFullBacklogIsWaitedForAfterASlowUpload(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Skip(err) // the path of the temporary directory is too long here
	}
	defer l.Close()
	if err := shrinkBacklog(l); err != nil {
		t.Fatal(err)
	}
	r := route()
	r.QueueTime = 2
	r.Processes = append(r.Processes, start(t, "http", 0, say("")).route)
	r.Processes[0].Address = "unix:" + l.Addr().String()
	s := serve(t, Config{}, r)
	slow := s.dial().send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\no")
	eventually(t, "the proxy waits for its body", s.awaitsBody)
	s.pass(5 * time.Second) // more than the time in a queue
	for {
		c, err := net.Dial("unix", l.Addr().String())
		if errors.Is(err, syscall.EAGAIN) {
			break // it is full
		}
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	slow.send("k")
	eventually(t, "it tries again and again", func() bool { return s.snapshot().Apps["app"].Retried > 0 })
	if got := slow.receive("PUT"); got.Status != 504 {
		t.Errorf("got %+v", got)
	}
}

func shrinkBacklog(l net.Listener) error {
	raw, err := l.(*net.UnixListener).SyscallConn()
	if err != nil {
		return err
	}
	var lerr error
	if err := raw.Control(func(fd uintptr) { lerr = syscall.Listen(int(fd), 0) }); err != nil {
		return err
	}
	return lerr
}

// A request that brings its process down is tried on one more at most, however
// many kept connections there are.
func TestRequestThatKillsIsNotTriedOnAll(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		var killed atomic.Int64
		deadly := func(c *call) bool {
			if strings.Contains(c.Target, "deadly") || strings.Contains(c.Vars["REQUEST_URI"], "deadly") {
				killed.Add(1)
				return false
			}
			c.ok(c.body())
			return true
		}
		a, b, c := start(t, proto, 1, deadly), start(t, proto, 1, deadly), start(t, proto, 1, deadly)
		s := serve(t, Config{}, route(a, b, c))
		for _, f := range []*fake{a, b, c} {
			s.set(route(f))
			s.dial().get("/") // each has a connection that is kept
		}
		s.set(route(a, b, c))
		if got := s.dial().get("/deadly"); got.Status != 502 {
			t.Errorf("got %+v", got)
		}
		if n := killed.Load(); n > 2 {
			t.Errorf("it reached %d processes, want 2 at most", n)
		}
	})
}

// A process that ends before it took a connection from its backlog has read
// nothing of the request on it.
func TestUnreadRequestsGoToAnotherProcess(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Skip(err) // the path of the temporary directory is too long here
	}
	defer l.Close()
	ended := start(t, "http", 1, say("")).route
	ended.Address = "unix:" + l.Addr().String()
	r := route(start(t, "http", 1, say("alive")))
	r.Processes = append([]protocol.RouteProcess{ended}, r.Processes...)
	s := serve(t, Config{}, r)
	p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "it waits for an answer", func() bool {
		list := s.requests()
		return len(list) == 1 && list[0].Phase == "waiting"
	})
	l.Close()
	if got := p.receive("GET"); got.Body != "alive" {
		t.Errorf("got %+v", got)
	}
}

// Those that had no part in their process's end get an answer, although their
// connections were new; the app sees the one that had twice at most.
func TestNewConnectionsAreRepeatedIfOneOfManyKilled(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		came, die := make(chan bool, 10), make(chan bool)
		first := start(t, proto, 0, func(c *call) bool { c.body(); came <- true; <-die; return false })
		var killed atomic.Int64
		second := start(t, proto, 0, func(c *call) bool {
			if strings.Contains(c.Target, "deadly") || strings.Contains(c.Vars["REQUEST_URI"], "deadly") {
				killed.Add(1)
				return false
			}
			c.ok("alive" + c.body())
			return true
		})
		s := serve(t, Config{}, route(first))
		var others []*peer
		for range 5 {
			others = append(others, s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
		}
		posted := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
		deadly := s.dial().send("GET /deadly HTTP/1.1\r\nHost: a\r\n\r\n")
		for range 7 {
			within(t, came, "the call")
		}
		first.listener.Close() // as the kernel does it
		s.set(route(second))
		close(die)
		for _, p := range others {
			if got := p.receive("GET"); got.Body != "alive" {
				t.Errorf("got %+v", got)
			}
		}
		if got := posted.receive("POST"); got.Status != 502 {
			t.Errorf("got %+v", got)
		}
		if got := deadly.receive("GET"); got.Status != 502 || killed.Load() != 1 {
			t.Errorf("got %+v, after %d more", got, killed.Load())
		}
	})
}
