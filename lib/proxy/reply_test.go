package proxy

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"passenger/lib/httpcache"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/static"
	"passenger/lib/proxy/wire"
)

// gone is an exchange whose client has left: whatever is written fails.
func gone(t *testing.T, p *Proxy, request string) *exchange {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.Close(fds[1])
	f := os.NewFile(uintptr(fds[0]), "client")
	defer f.Close()
	nc, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newClient(p, nc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	in := wire.TakeBuffer(wire.Small)
	x := takeExchange(c, in, copy(in.B, request))
	if done, err := x.req.Parse(in.B[:x.req.end]); !done || err != nil {
		t.Fatal(done, err)
	}
	x.req.began, x.req.tick = time.Now(), p.clock.Now.Load()
	return x
}

// keptAnswer is an answer to x that a cache has.
func keptAnswer(t *testing.T, x *exchange) *httpcache.Entry {
	t.Helper()
	x.session.resp.Reset()
	if done, err := x.session.resp.Parse([]byte("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1\r\n\r\n")); !done || err != nil {
		t.Fatal(done, err)
	}
	var total atomic.Int64
	c := httpcache.New(&total)
	c.KeepFor("a")
	l := c.Lookup(&x.req.Request)
	now := time.Now()
	known := l.SetKey([]byte("a/"), 1, 2)
	l.Answer(now)
	if !known || !l.Keeps(&x.session.resp, now, now) {
		t.Fatal("the answer is not kept")
	}
	l.KeepHead([]byte("HTTP/1.1 200 OK\r\n"), nil, false)
	l.Add([]byte("x"), true)
	e, _ := l.Answer(now)
	return e
}

// An answer of our own that found its client gone has no status, whatever it
// was: the access log has 499, and it counts as abandoned.
func TestOwnAnswersToNobodyHaveNoStatus(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{"small": "a", "large": strings.Repeat("a", static.MaxCopied+1)})
	p := New(Config{Timeouts: quick})
	r := route()
	r.AppRoot, r.StaticDir = dir, dir
	p.SetRoutes(tableOf(1, r))
	file := func(x *exchange) bool {
		x.req.mount = p.index.Load().mounts[0]
		_, again := x.static()
		return again
	}
	for what, c := range map[string]struct {
		request string
		answer  func(*exchange) bool
	}{
		"page":           {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", func(x *exchange) bool { return x.fail(404, "none") }},
		"challenge":      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", func(x *exchange) bool { return x.prove("text") }},
		"redirect":       {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", func(x *exchange) bool { return x.redirectHTTPS() }},
		"cached":         {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", func(x *exchange) bool { return x.sendEntry(keptAnswer(t, x), time.Now()) }},
		"small file":     {"GET /small HTTP/1.1\r\nHost: a\r\n\r\n", file},
		"head of a file": {"HEAD /small HTTP/1.1\r\nHost: a\r\n\r\n", file},
		"large file":     {"GET /large HTTP/1.1\r\nHost: a\r\n\r\n", file},
		"part of a file": {"GET /large HTTP/1.1\r\nHost: a\r\nRange: bytes=1-2\r\n\r\n", file},
		"named file": {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", func(x *exchange) bool {
			f, err := files.PlaceOf(&r, (&files.Dirs{}).Home(&r, nil), filepath.Join(dir, "small"), "sendfile_dirs").OpenFile(time.Now())
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			return (&static.Writer{To: fileSink{x}, Fields: map[string][]string{}}).Serve(&x.req.Request, f, 1, time.Now(), true) == nil && x.finish()
		}},
	} {
		x := gone(t, p, c.request)
		if again := c.answer(x); again || x.answer.status != 0 || !x.answer.answered {
			t.Errorf("%s: got status %d, again %v, answered %v", what, x.answer.status, again, x.answer.answered)
		}
	}
}
