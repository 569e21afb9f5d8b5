package proxy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/certificate"
	"passenger/lib/proxy/listen"
)

// certify writes a certificate for names, signed by itself, and its key.
func certify(t testing.TB, dir string, names ...string) certificate.KeyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pair := certificate.KeyPair{Certificate: filepath.Join(dir, names[0]+".crt"), Key: filepath.Join(dir, names[0]+".key")}
	for path, block := range map[string]*pem.Block{
		pair.Certificate: {Type: "CERTIFICATE", Bytes: der}, pair.Key: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return pair
}

// serveTLS is serve with a listener for TLS besides, at the address returned.
func serveTLS(t testing.TB, c Config, routes ...protocol.Route) (*server, string) {
	t.Helper()
	if c.Certificates == nil {
		certs, err := certificate.Load([]certificate.KeyPair{certify(t, t.TempDir(), "a.test")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = certs
	}
	l, err := listen.At("tls:127.0.0.1:0", listen.SocketFile{})
	if err != nil {
		t.Fatal(err)
	}
	return serveAlso(t, []net.Listener{l}, c, routes...), l.Addr().String()
}

var careless = &tls.Config{InsecureSkipVerify: true, ServerName: "a.test"} // of whose certificate it is

// protocols are those of a transport, with one that set allows.
func protocols(set func(*http.Protocols, bool)) *http.Protocols {
	p := new(http.Protocols)
	set(p, true)
	return p
}

// over returns clients that speak HTTP/1.1 and HTTP/2 over TLS.
func over(t *testing.T, addr string, f func(t *testing.T, c *http.Client, version string)) {
	for version, transport := range map[string]http.RoundTripper{
		"HTTP/1.1": &http.Transport{TLSClientConfig: careless.Clone()},
		"HTTP/2.0": &http.Transport{TLSClientConfig: careless.Clone(), Protocols: protocols((*http.Protocols).SetHTTP2)},
	} {
		c := &http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		defer c.CloseIdleConnections()
		t.Run(version, func(t *testing.T) { f(t, c, version) })
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		_, addr := serveTLS(t, Config{}, route(start(t, proto, 0, func(c *call) bool {
			body := c.body()
			c.ok(strings.Join([]string{c.Method, c.Target, c.header("X-Forwarded-Proto"), c.header("Cookie"), body}, " "))
			return true
		})))
		over(t, addr, func(t *testing.T, c *http.Client, version string) {
			for range 3 {
				for _, body := range []string{"", "hello", strings.Repeat("x", 300<<10)} {
					r, err := http.NewRequest("POST", "https://"+addr+"/p%20q?a=b", strings.NewReader(body))
					if err != nil {
						t.Fatal(err)
					}
					r.Header.Set("Cookie", "a=b; c=d")
					resp, err := c.Do(r)
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if want := "POST /p%20q?a=b https a=b; c=d " + body; string(got) != want || err != nil || resp.Proto != version {
						t.Errorf("%s: got %.60q, %v, want %.60q", resp.Proto, got, err, want)
					}
				}
			}
		})
	})
}

// Early hints are for HTTP/2: clients of HTTP/1.1 take them for the answer.
func TestHTTP2CarriesTrailersHintsAndUnknownLengths(t *testing.T) {
	t.Parallel()
	_, addr := serveTLS(t, Config{}, route(start(t, protocol.ProtocolHTTP, 0, func(c *call) bool {
		body := c.body()
		c.reply("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
		c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
		text := body + c.Trailer().Get("X-Up")
		c.reply("%x\r\n%s\r\n0\r\nX-Sum: 7\r\n\r\n", len(text), text)
		return true
	})))
	over(t, addr, func(t *testing.T, c *http.Client, version string) {
		hints := ""
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error { hints = h.Get("Link"); return nil }}
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "POST", "https://"+addr+"/", io.MultiReader(strings.NewReader("ab")))
		if err != nil {
			t.Fatal(err)
		}
		r.Trailer = http.Header{"X-Up": {"cd"}}
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		want := ""
		if version == "HTTP/2.0" {
			want = "</a>"
		}
		if got, err := io.ReadAll(resp.Body); string(got) != "abcd" || err != nil || resp.Trailer.Get("X-Sum") != "7" || hints != want {
			t.Errorf("got %q, %v, trailer %v, hints %q, want %q", got, err, resp.Trailer, hints, want)
		}
	})
}

func TestTruncatedAnswersAreVisibleOverTLS(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"sized": "Content-Length: 100\r\n\r\nabc", "chunked": "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
	} {
		_, addr := serveTLS(t, Config{}, route(start(t, protocol.ProtocolHTTP, 0, func(c *call) bool {
			c.reply("HTTP/1.1 200 OK\r\n%s", head)
			return false
		})))
		over(t, addr, func(t *testing.T, c *http.Client, version string) {
			resp, err := c.Get("https://" + addr + "/")
			if err != nil {
				return
			}
			defer resp.Body.Close()
			if b, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("%s: got %q as if it were whole", name, b)
			}
		})
	}
}

func TestClientsOfHTTP2ThatGoAwayFreeTheirProcess(t *testing.T) {
	t.Parallel()
	g := newGate()
	f := start(t, protocol.ProtocolHTTP, 1, g.answer)
	s, addr := serveTLS(t, Config{}, route(f))
	over(t, addr, func(t *testing.T, c *http.Client, version string) {
		c.Timeout = 0
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, "GET", "https://"+addr+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { _, err := c.Do(r); done <- err }()
		within(t, g.came, "the call")
		cancel()
		if err := within(t, done, "the client"); err == nil {
			t.Error("the request was answered")
		}
		eventually(t, "the session ends", func() bool { return s.inFlight(f) == 0 })
	})
	g.open()
}

func TestHTTP2WithoutTLSIsServedWhenAllowed(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{true, false} {
		s := serve(t, Config{HTTP2Plain: allowed}, route(start(t, protocol.ProtocolHTTP, 0, say("ok"))))
		c := &http.Client{Transport: &http.Transport{Protocols: protocols((*http.Protocols).SetUnencryptedHTTP2)}}
		resp, err := c.Get("http://" + s.addr + "/")
		if allowed && (err != nil || resp.StatusCode != 200) || !allowed && err == nil {
			t.Errorf("allowed %v: got %v, %v", allowed, resp, err)
		}
		c.CloseIdleConnections()
		// HTTP/1.1 goes on as ever: X26. What begins as one of its requests does gets
		// its answer, whatever the rest is.
		for text, want := range map[string]int{"GET / HTTP/1.0\r\n\r\n": 200, "GET /\r\n\r\n": 400, "GET / \r\n\r\n": 400, "GET / HTP/1.0\r\n\r\n": 400} {
			if r := s.dial().send(text).receive("GET"); r.Status != want {
				t.Errorf("%q: got %+v, want %d", text, r, want)
			}
		}
		if r := s.dial().get("/"); r.Body != "ok" {
			t.Errorf("got %+v", r)
		}
	}
}

func TestCertificatesAreChosenByNameAndReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certs, err := certificate.Load([]certificate.KeyPair{certify(t, dir, "one.test"), certify(t, dir, "two.test")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	go certs.Run(t.Context())
	_, addr := serveTLS(t, Config{Certificates: certs}, route(start(t, protocol.ProtocolHTTP, 0, say("ok"))))
	shown := func(name string) *x509.Certificate {
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, ServerName: name})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0]
	}
	for name, want := range map[string]string{"one.test": "one.test", "two.test": "two.test", "three.test": "one.test"} {
		if got := shown(name).DNSNames[0]; got != want {
			t.Errorf("%s: got the certificate of %s, want %s", name, got, want)
		}
	}
	old := shown("two.test").SerialNumber
	if err := os.WriteFile(filepath.Join(dir, "one.test.key"), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	certs.Reload()
	certify(t, dir, "one.test")
	certify(t, dir, "two.test")
	certs.Reload()
	eventually(t, "the new certificate", func() bool { return shown("two.test").SerialNumber.Cmp(old) != 0 })
}

func TestPlainRequestsAreSentToHTTPS(t *testing.T) {
	t.Parallel()
	c := trust(t, "127.0.0.0/8")
	c.RedirectHTTPS, c.HTTPSPort = true, "8443"
	s, addr := serveTLS(t, c, route(start(t, protocol.ProtocolHTTP, 0, say("ok"))))
	r := s.dial().send("POST /a?b HTTP/1.1\r\nHost: a.test:80\r\nContent-Length: 3\r\n\r\nabc").receive("POST")
	if r.Status != 308 || r.Header.Get("Location") != "https://a.test:8443/a?b" {
		t.Errorf("got %+v", r)
	}
	r = s.dial().send("GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-Proto: https\r\n\r\n").receive("GET")
	if r.Body != "ok" {
		t.Errorf("a trusted proxy got %+v", r)
	}
	over(t, addr, func(t *testing.T, c *http.Client, version string) {
		if resp, err := c.Get("https://" + addr + "/"); err != nil || resp.StatusCode != 200 {
			t.Errorf("got %v, %v", resp, err)
		}
	})
}

// sameBody asks for a URL and wants a body.
func sameBody(url, want string) func(*testing.T, *http.Client, string) {
	return func(t *testing.T, c *http.Client, version string) {
		t.Helper()
		r, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); string(b) != want || err != nil {
			t.Errorf("%s: got %d bytes, %v, want %d", version, len(b), err, len(want))
		}
	}
}

func TestConnectionsAreCountedOnceOverEachProtocol(t *testing.T) {
	t.Parallel()
	s, addr := serveTLS(t, Config{}, route(start(t, "http", 0, say("ok"))))
	over(t, addr, func(t *testing.T, c *http.Client, version string) {
		for range 2 {
			r, err := c.Get("https://" + addr + "/")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				t.Error(err)
			}
			r.Body.Close()
		}
		eventually(t, "one idle connection", func() bool { return s.connections() == 1 })
		c.CloseIdleConnections()
		eventually(t, "none", func() bool { return s.connections() == 0 })
	})
}
