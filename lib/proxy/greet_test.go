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
	certs := certificates(t, []KeyPair{certify(t, dir, "one.test"), certify(t, dir, "two.test")}, nil)
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

func TestSessionsAreResumedWhenCertificatesWereReadAgain(t *testing.T) {
	t.Parallel()
	certs := certificates(t, []KeyPair{certify(t, t.TempDir(), "a.test")}, nil)
	_, addr := serveTLS(t, Config{Certificates: certs}, route(start(t, protocol.ProtocolHTTP, 0, say("ok"))))
	config := careless.Clone()
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	resumed := func() bool {
		c, err := tls.Dial("tcp", addr, config)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// The ticket comes behind the handshake.
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(c); err != nil || !bytes.HasSuffix(b, []byte("ok")) {
			t.Fatalf("got %q, %v", b, err)
		}
		return c.ConnectionState().DidResume
	}
	if resumed() {
		t.Error("the first session is resumed")
	}
	if err := certs.load(); err != nil {
		t.Fatal(err)
	}
	if !resumed() {
		t.Error("a session is not resumed")
	}
}
