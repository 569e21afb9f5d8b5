package proxy

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"passenger/lib/protocol"
	"passenger/lib/proxy/buffering"
	"passenger/lib/proxy/wire"
)

// keeping is a route that keeps bodies, whatever their length.
func keeping(fakes ...*fake) protocol.Route {
	r := route(fakes...)
	r.BufferUpload = new(true)
	return r
}

func echo(t *testing.T, proto string) *fake {
	return start(t, proto, 1, func(c *call) bool { c.ok(c.body()); return true })
}

func TestSlowUploadsHoldNoProcess(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		f := echo(t, proto)
		r := route(f)
		r.BufferUpload = nil // the process takes one request at a time
		dir := t.TempDir()
		s := serve(t, Config{DataBufferDir: dir}, r)
		size := maxHeld * 8
		p := s.dial().send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", size))
		if r := p.receive("POST"); r.Status != 100 {
			t.Fatalf("got %+v, want 100", r)
		}
		p.send(strings.Repeat("x", size-1))
		for range 3 {
			if r := s.dial().get("/"); r.Status != 200 {
				t.Errorf("others got %+v", r)
			}
		}
		if n := f.requests.Load(); n != 3 {
			t.Errorf("the app got %d requests, want 3", n)
		}
		if files, err := os.ReadDir(dir); len(files) > 0 || err != nil {
			t.Errorf("got files %v, %v", files, err)
		}
		// With the body comes the next request, which is not lost.
		p.send("y" + "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nnext")
		if r := p.receive("POST"); r.Body != strings.Repeat("x", size-1)+"y" {
			t.Errorf("got %d bytes, status %d", len(r.Body), r.Status)
		}
		if r := p.receive("POST"); r.Body != "next" {
			t.Errorf("got %+v", r)
		}
	})
}

func TestKeptChunkedBodies(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		f := echo(t, proto)
		s := serve(t, Config{DataBufferDir: t.TempDir()}, keeping(f))
		p := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
		var want strings.Builder
		for i := range 40 {
			part := strings.Repeat(fmt.Sprint(i%10), 4096)
			want.WriteString(part)
			p.send(fmt.Sprintf("%x\r\n%s\r\n", len(part), part))
		}
		p.send("0\r\nX-Sum: 1\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nnext")
		if r := p.receive("POST"); r.Body != want.String() {
			t.Errorf("got %d bytes, status %d, want %d", len(r.Body), r.Status, want.Len())
		}
		if r := p.receive("POST"); r.Body != "next" {
			t.Errorf("got %+v", r)
		}
	})
}

// A body that is whole in our hands can be sent again.
func TestKeptBodiesAreSentAgain(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		var calls atomic.Int64
		f := start(t, proto, 1, func(c *call) bool {
			body := c.body()
			if calls.Add(1) == 2 {
				return false // on a connection used before
			}
			c.ok(fmt.Sprint(len(body)))
			return true
		})
		s := serve(t, Config{DataBufferDir: t.TempDir()}, keeping(f))
		p := s.dial()
		p.get("/")
		body := strings.Repeat("x", maxHeld*4)
		if r := p.send(fmt.Sprintf("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)).receive("PUT"); r.Body != fmt.Sprint(len(body)) {
			t.Errorf("got %+v", r)
		}
	})
}

func TestBodiesOverTheLimitAreRefused(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		for _, keep := range []bool{false, true} {
			r := route(echo(t, proto))
			r.BufferUpload, r.MaxBodySize = &keep, 100_000
			s := serve(t, Config{DataBufferDir: t.TempDir()}, r)
			if r := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n").receive("POST"); r.Status != 413 || !r.Close {
				t.Errorf("keep %v: got %+v", keep, r)
			}
			p := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
			for range 13 {
				p.send("2000\r\n" + strings.Repeat("x", 0x2000) + "\r\n")
			}
			if r := p.receive("POST"); r.Status != 413 || !r.Close {
				t.Errorf("keep %v, chunked: got %+v", keep, r)
			}
			if r := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000)).receive("POST"); r.Status != 200 {
				t.Errorf("keep %v: got %+v", keep, r.Status)
			}
		}
	})
}

// A directory that is missing fails as a full disk does, without one.
func TestBodiesThatCannotBeKept(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		dir := t.TempDir()
		s := serve(t, Config{DataBufferDir: dir + "/gone"}, keeping(echo(t, proto)))
		post := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", maxHeld*2, strings.Repeat("x", maxHeld*2))
		if r := s.dial().send(post).receive("POST"); r.Status != 503 || r.Header.Get("Retry-After") == "" {
			t.Errorf("got %+v", r)
		}
		if r := s.dial().get("/"); r.Status != 200 {
			t.Errorf("without a body: got %+v", r)
		}
		if err := os.Mkdir(dir+"/gone", 0o700); err != nil {
			t.Fatal(err)
		}
		if r := s.dial().send(post).receive("POST"); r.Status != 200 {
			t.Errorf("afterwards: got %+v", r.Status)
		}
	})
}

// However much clients send without saying how much, the disk has no more of it
// than its shares, and the app gets all of it.
func TestDiskForBodiesOfUnknownLengthIsBounded(t *testing.T) {
	t.Parallel()
	const most, part, parts = 1 << 20, 16 << 10, 256
	for name, limits := range map[string]buffering.Limits{"all": {All: most}, "app": {App: most}, "connection": {Connection: most}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, proto string) {
				f := echo(t, proto)
				s := serve(t, Config{DataBufferDir: t.TempDir(), Disk: limits}, keeping(f))
				p := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
				var want strings.Builder
				for i := range parts {
					text := strings.Repeat(string(rune('a'+i%26)), part)
					want.WriteString(text)
					p.send(fmt.Sprintf("%x\r\n%s\r\n", part, text))
					if n := s.disk.Used(); n > most+wire.Large {
						t.Fatalf("%d bytes are kept, want %d at most", n, most)
					}
				}
				p.send("0\r\nX-Sum: 1\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nnext")
				if r := p.receive("POST"); r.Body != want.String() {
					t.Errorf("got %d bytes, status %d, want %d", len(r.Body), r.Status, want.Len())
				}
				if r := p.receive("POST"); r.Body != "next" {
					t.Errorf("got %+v", r)
				}
				eventually(t, "the disk is given back", func() bool { return s.disk.Used() == 0 })
			})
		})
	}
}
