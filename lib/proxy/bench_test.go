package proxy

import (
	"bufio"
	"io"
	"net"
	"testing"
)

// instant answers each read of a connection with a fixed response: a process
// that costs the benchmark next to nothing.
func instant(t testing.TB, proto string) *fake {
	f := start(t, proto, 0, func(c *call) bool {
		response := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")
		b := make([]byte, 4096)
		for {
			c.Conn.Write(response)
			if _, err := c.Conn.Read(b); err != nil {
				return false
			}
		}
	})
	return f
}

const benchRequest = "GET /path?query HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: wrk\r\nAccept: */*\r\nCookie: a=b\r\n\r\n"

// roundTrip sends a request and reads the answer, whose length is known after
// the first.
type roundTrip struct {
	c       net.Conn
	b       []byte
	request []byte
	size    int
}

func newRoundTrip(t testing.TB, s *server) *roundTrip {
	r := &roundTrip{c: s.dial().Conn, b: make([]byte, 4096), request: []byte(benchRequest)}
	if _, err := io.WriteString(r.c, benchRequest); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(r.c)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if r.size += len(line); line == "\r\n" {
			break
		}
	}
	r.size += len("hello")
	if _, err := in.Discard(len("hello")); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *roundTrip) do(t testing.TB) {
	if _, err := r.c.Write(r.request); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r.c, r.b[:r.size]); err != nil {
		t.Fatal(err)
	}
}

func TestProxyingAllocatesNothing(t *testing.T) {
	if racing {
		t.Skip("the race detector makes sync.Pool forget")
	}
	for _, proto := range dataProtocols {
		s := serve(t, Config{}, route(instant(t, proto)))
		r := newRoundTrip(t, s)
		if n := testing.AllocsPerRun(2000, func() { r.do(t) }); n > 0 {
			t.Errorf("%s: got %v allocations per request, want 0", proto, n)
		}
	}
}

func BenchmarkProxy(b *testing.B) {
	for _, proto := range dataProtocols {
		b.Run(proto, func(b *testing.B) {
			s := serve(b, Config{}, route(instant(b, proto)))
			r := newRoundTrip(b, s)
			b.ReportAllocs()
			for b.Loop() {
				r.do(b)
			}
		})
	}
}
