package proxy

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"passenger/lib/http1"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/greeting"
)

// The cookie that we find is one that net/http finds too, where that accepts
// the line at all.
func FuzzSticky(f *testing.F) {
	for _, s := range []string{"route=1", "a=b; route=1", "route=1; route=2", "xroute=1;route=2", "route", "route=", ";;route=a=b;", " route=1", "a=\"; route=1\""} {
		f.Add(s)
	}
	sticky := balance.Sticky{Name: []byte("route")}
	f.Fuzz(func(t *testing.T, line string) {
		var r http1.Request
		r.Reset()
		if done, err := r.Parse([]byte("GET / HTTP/1.1\r\nHost: a\r\nCookie: " + line + "\r\n\r\n")); !done || err != nil {
			return
		}
		got := sticky.Wanted(&r)
		if bytes.IndexByte(got, ';') >= 0 {
			t.Fatalf("got %q", got)
		}
		list, err := http.ParseCookie(line)
		if err != nil {
			return
		}
		for _, c := range list {
			if c.Name == "route" {
				if want := c.Value; !c.Quoted && string(got) != want {
					t.Fatalf("got %q, want %q", got, want)
				}
				return
			}
		}
	})
}

// A scriptedConn yields bytes and then the end.
type scriptedConn struct {
	net.Conn
	io.Reader
}

func (c scriptedConn) Read(p []byte) (int, error)     { return c.Reader.Read(p) }
func (scriptedConn) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (scriptedConn) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2} }
func (scriptedConn) SetReadDeadline(time.Time) error  { return nil }
func (scriptedConn) SetDeadline(time.Time) error      { return nil }
func (scriptedConn) SetWriteDeadline(time.Time) error { return nil }
func (scriptedConn) Close() error                     { return nil }

// Behind a PROXY header that is accepted, every byte is the client's, and none
// of the header is. Nobody whom it names is taken for a web server of ours.
func FuzzProxyHeader(f *testing.F) {
	for _, s := range []string{
		"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\nrest", "PROXY TCP6 ::1 ::2 9 10\r\n", "PROXY UNKNOWN\r\nrest", "PROXY UNKNOWN " + strings.Repeat("f", 90) + "\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\n", "PROXY TCP4 1.2.3.4\r\n", "GET / HTTP/1.1\r\n\r\n",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x09\x00\x0arest", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x31\x00\xd8" + strings.Repeat("a", 216), "\r\n\r\n\x00\r\nQUIT\n\x21\x12\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x09\x00\x0a",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		nc, err := greeting.ReadProxyHeader(scriptedConn{Reader: bytes.NewReader(b)}, patience)
		if err != nil {
			return
		}
		rest, err := io.ReadAll(nc)
		if err != nil || !bytes.HasSuffix(b, rest) || len(rest) == len(b) {
			t.Fatalf("%q: got %q, %v", b, rest, err)
		}
		if origin(nc) == nil {
			t.Fatalf("%q names somebody on a unix socket, who would be believed", b)
		}
	})
}
