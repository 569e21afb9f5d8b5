package proxy

import (
	"net"
	"testing"

	h2 "golang.org/x/net/http2"
	"golang.org/x/sys/unix"

	"passenger/lib/protocol"
)

// sendSliced sends text n bytes at a time, the next once the proxy has read the
// last. p is on a unix socket, where the kernel counts what nobody has read.
func (p *peer) sendSliced(text string, n int) *peer {
	p.t.Helper()
	raw, err := p.Conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		p.t.Fatal(err)
	}
	for ; text != ""; text = text[min(n, len(text)):] {
		p.send(text[:min(n, len(text))])
		eventually(p.t, "the proxy reads a slice", func() (read bool) {
			err := raw.Control(func(fd uintptr) {
				left, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
				read = err == nil && left == 0
			})
			return read && err == nil
		})
	}
	return p
}

// Row 39 of the faults: HTTP/2 without TLS is told by its first bytes, however
// few of them come at a time.
func TestHTTP2BeginsInSlices(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{HTTP2Plain: true}, route(start(t, protocol.ProtocolHTTP, 0, say("ok"))))
	for _, n := range []int{1, 3, 15, 16, 23} {
		p := dialPeer(t, "unix", s.unix).sendSliced(h2.ClientPreface, n)
		f := h2.NewFramer(p.Conn, p.in)
		if err := f.WriteSettings(); err != nil {
			t.Fatal(err)
		}
		frame, err := f.ReadFrame()
		if _, ok := frame.(*h2.SettingsFrame); !ok || err != nil {
			t.Errorf("in slices of %d: got %v, %v; want settings", n, frame, err)
		}
	}
}
