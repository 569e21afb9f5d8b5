package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/certificate"
)

// hello returns the bytes of a ClientHello for a.test: one record.
func hello(t *testing.T, c *tls.Config) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() { _ = tls.Client(theirs, c).Handshake(); theirs.Close() }()
	b := make([]byte, 16<<10)
	n, err := ours.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// X37: a handshake that stalls after any byte ends at the timeout, and no
// sooner at the sight of half a message.
func TestHandshakesThatStallAnywhereEnd(t *testing.T) {
	t.Parallel()
	_, addr := serveTLS(t, short(func(t *Timeouts) { t.Header = 200 * time.Millisecond }), route())
	whole := hello(t, careless)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 64)
	for n := range len(whole) + 1 {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience))
			if _, err := c.Write(whole[:n]); err != nil {
				t.Errorf("after %d bytes: %v", n, err)
			}
			if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
				t.Errorf("after %d bytes: %v", n, err)
			}
		})
	}
	wg.Wait()
}

// splitting is a connection whose first write, a ClientHello, becomes many
// records of a few bytes each.
type splitting struct {
	net.Conn
	size int
	done bool
}

func (c *splitting) Write(b []byte) (int, error) {
	if c.done {
		return c.Conn.Write(b)
	}
	c.done = true
	const head = 5 // type, version, length
	var out []byte
	for part := range slices.Chunk(b[head:], c.size) {
		out = append(append(out, b[0], b[1], b[2], byte(len(part)>>8), byte(len(part))), part...)
	}
	_, err := c.Conn.Write(out)
	return len(b), err
}

// X38: the certificate is chosen by the whole ClientHello, however it comes.
func TestHellosInManyRecordsGetTheSameCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certs := certificates(t, []certificate.KeyPair{certify(t, dir, "one.test"), certify(t, dir, "two.test")}, nil)
	_, addr := serveTLS(t, Config{Certificates: certs}, route(start(t, protocol.ProtocolHTTP, 0, say("ok"))))
	for _, size := range []int{1, 7, 100, 1 << 14} {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c := tls.Client(&splitting{Conn: nc, size: size}, &tls.Config{InsecureSkipVerify: true, ServerName: "two.test", NextProtos: []string{"h2"}})
		if err := c.Handshake(); err != nil {
			// Refusing what no client does is as good, as long as no other
			// certificate is shown.
			if size > 1 {
				t.Errorf("records of %d bytes: %v", size, err)
			}
		} else if s := c.ConnectionState(); s.PeerCertificates[0].DNSNames[0] != "two.test" || s.NegotiatedProtocol != "h2" {
			t.Errorf("records of %d bytes: got the certificate of %v, protocol %q", size, s.PeerCertificates[0].DNSNames, s.NegotiatedProtocol)
		}
		nc.Close()
	}
}

func TestOldProtocolsAndSuitesAreRefused(t *testing.T) {
	t.Parallel()
	_, addr := serveTLS(t, Config{}, route())
	try := func(c *tls.Config) error {
		c.InsecureSkipVerify = true
		nc, err := tls.Dial("tcp", addr, c)
		if err == nil {
			nc.Close()
		}
		return err
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		if try(&tls.Config{MinVersion: version, MaxVersion: version}) == nil {
			t.Errorf("%s is spoken", tls.VersionName(version))
		}
	}
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if !slices.Contains(s.SupportedVersions, tls.VersionTLS12) || !strings.Contains(s.Name, "ECDHE_ECDSA") {
			continue // our certificate has an elliptic curve
		}
		good := strings.Contains(s.Name, "GCM") || strings.Contains(s.Name, "CHACHA20")
		if err := try(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{s.ID}}); (err == nil) != good {
			t.Errorf("%s: got %v", s.Name, err)
		}
	}
}

func TestProxyHeadersNameTheClient(t *testing.T) {
	t.Parallel()
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x01\x02\x03\x04\x7f\x00\x00\x01\x10\x00\x00\x50"
	answer := func(c *call) bool { c.ok(c.header("X-Forwarded-For")); return true }
	c := trust(t, "127.0.0.0/8")
	c.ProxyHeader = true
	s, addr := serveTLS(t, c, route(start(t, protocol.ProtocolHTTP, 0, answer)))
	for _, header := range []string{"PROXY TCP4 1.2.3.4 127.0.0.1 4096 80\r\n", v2} {
		p := s.dial().send(header + "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if r := p.receive("GET"); r.Body != "1.2.3.4" {
			t.Errorf("got %+v", r)
		}
		// X11: only once.
		if r := p.send("PROXY TCP4 9.9.9.9 127.0.0.1 4096 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").receive("GET"); r.Status != 400 && r.Status != 505 {
			t.Errorf("a second header: got %+v", r)
		}
		nc := dialPeer(t, "tcp", addr).send(header).Conn
		tc := tls.Client(nc, careless)
		if _, err := tc.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(tc); !bytes.HasSuffix(b, []byte("1.2.3.4")) || err != nil {
			t.Errorf("over TLS: got %q, %v", b, err)
		}
	}
	// X10, and none at all.
	for _, header := range []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PROXY " + strings.Repeat("x", 4096)} {
		s.dial().send(header).closed()
	}
}

// X10: a PROXY header that does not end is given up, at its longest length or
// at the timeout.
func TestProxyHeadersThatDoNotEndAreGivenUp(t *testing.T) {
	t.Parallel()
	patient := trust(t, "127.0.0.1")
	patient.ProxyHeader = true
	s := serve(t, patient, route())
	for _, text := range []string{
		"PROXY TCP4 1.2.3.4 127.0.0.1 4096 80" + strings.Repeat(" ", 107), "PROXY " + strings.Repeat("\x00", 1<<16), strings.Repeat("P", 107),
		"PROXY TCP4 1.2.3.4 127.0.0.1 4096 80\n", "PROXY TCP4 1.2.3.4.5 127.0.0.1 4096 80\r\n", "PROXY TCP4 ::1 ::1 4096 80\r\n", "PROXY TCP4 1.2.3.4 127.0.0.1 70000 80\r\n",
		"\r\n\r\n\x00\r\nQUIT\n\x11\x11\x00\x00", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x04\x01\x02\x03\x04",
	} {
		s.dial().send(text).closed()
	}
	hasty := trust(t, "127.0.0.1")
	hasty.ProxyHeader, hasty.Timeouts = true, quick
	hasty.Timeouts.Header = brief
	s = serve(t, hasty, route())
	for _, text := range []string{"", "P", "PROXY TCP4 1.2.3.4", "\r\n\r\n\x00\r\nQUIT\n", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff"} {
		p := s.dial().send(text)
		stop := make(chan struct{})
		go func() { // it trickles, which is no excuse
			for {
				select {
				case <-stop:
					return
				case <-time.After(brief / 10):
					_, _ = io.WriteString(p.Conn, "1")
				}
			}
		}()
		p.closed()
		close(stop)
	}
}

// X11: a PROXY header counts from trusted peers only, at the start only, and
// only for its connection.
func TestProxyHeadersOfStrangersAreRequestsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	c := trust(t, "10.0.0.0/8")
	c.ProxyHeader = true
	s := serve(t, c, route(start(t, protocol.ProtocolHTTP, 0, func(c *call) bool { c.ok(c.header("X-Forwarded-For")); return true })))
	r := s.dial().send("PROXY TCP4 1.2.3.4 127.0.0.1 4096 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").receive("GET")
	if r.Status != 400 && r.Status != 505 {
		t.Errorf("got %+v", r)
	}
	if r := s.dial().get("/"); r.Body != "127.0.0.1" {
		t.Errorf("without one: got %+v", r)
	}
}

// Whom a PROXY header names is not believed like whoever sent it, unless it
// names nobody else.
func TestClientsBehindAProxyHeaderAreNotTrusted(t *testing.T) {
	t.Parallel()
	const v2 = "\r\n\r\n\x00\r\nQUIT\n"
	unix := v2 + "\x21\x31\x00\xd8" + strings.Repeat("\x00", 216)
	udp := v2 + "\x21\x12\x00\x0c\x01\x02\x03\x04\x7f\x00\x00\x01\x10\x00\x00\x50"
	c := trust(t, "127.0.0.1")
	c.ProxyHeader = true
	s, addr := serveTLS(t, c, route(start(t, protocol.ProtocolHTTP, 0, func(c *call) bool {
		c.ok(c.header("X-Forwarded-For") + " " + c.header("X-Forwarded-Proto"))
		return true
	})))
	for header, want := range map[string]string{
		"PROXY TCP4 1.2.3.4 127.0.0.1 4096 80\r\n":   "1.2.3.4 http",
		"PROXY TCP6 2001:db8::1 ::1 4096 80\r\n":     "2001:db8::1 http",
		"PROXY TCP4 127.0.0.1 127.0.0.1 4096 80\r\n": "9.9.9.9, 127.0.0.1 other",
		"PROXY UNKNOWN\r\n":                          "9.9.9.9, 127.0.0.1 other",
		v2 + "\x20\x00\x00\x00":                      "9.9.9.9, 127.0.0.1 other",
		unix:                                         " http", udp: " http",
	} {
		const request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: other\r\nConnection: close\r\n\r\n"
		if r := s.dial().send(header + request).receive("GET"); r.Body != want {
			t.Errorf("%q: got %+v, want %q", header, r, want)
		}
		tc := tls.Client(dialPeer(t, "tcp", addr).send(header).Conn, careless)
		if _, err := io.WriteString(tc, request); err != nil {
			t.Fatal(err)
		}
		secure := want
		if !strings.Contains(want, "other") {
			secure += "s"
		}
		if b, err := io.ReadAll(tc); err != nil || !bytes.HasSuffix(b, []byte("\r\n\r\n"+secure)) {
			t.Errorf("%q over TLS: got %q, %v, want %q", header, b, err, secure)
		}
	}
}

// A bug in what comes before a connection's first request costs only that
// connection.
func TestGreetingsThatPanicEndTheirConnectionOnly(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{}, route(start(t, protocol.ProtocolHTTP, 1, say("ok"))))
	ours, theirs := net.Pipe()
	defer theirs.Close()
	s.greet(&brokenConn{Conn: ours}, false)
	if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("got %v, want the end", err)
	}
	if got := s.dial().get("/"); got.Body != "ok" {
		t.Errorf("got %+v", got)
	}
}

// A brokenConn panics when it is used.
type brokenConn struct{ net.Conn }

func (c *brokenConn) SetDeadline(time.Time) error { panic("a bug") }

// A request in plain text on a port for TLS gets an answer that says so.
func TestPlainRequestsToATLSPortAreAnswered(t *testing.T) {
	t.Parallel()
	_, addr := serveTLS(t, Config{}, route())
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PUT / HTTP/1.0\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET HTTP://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "M-SEARCH * HTTP/1.1\r\nHost: a\r\n\r\n", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + strings.Repeat("x", 300_000),
	} {
		r := dialPeer(t, "tcp", addr).send(text).receive("GET")
		if r.Status != 400 || !r.Close || !strings.Contains(r.Body, "HTTPS") {
			t.Errorf("%.40q: got %+v", text, r)
		}
	}
	for _, text := range []string{"SSH-2.0-a\r\n", "\x00\x00\x00\x00\x00\x00", "get / http", "-----BEGIN", "\x80\x2e\x01\x00\x02\x00"} {
		if got, _ := io.ReadAll(dialPeer(t, "tcp", addr).send(text).in); strings.Contains(string(got), "HTTP") {
			t.Errorf("%q: got %q", text, got)
		}
	}
}
