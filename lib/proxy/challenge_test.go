package proxy

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"passenger/lib/acme"
	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/proxy/certificate"
)

// An acmeDir is a directory of certificates as an authority would fill it.
type acmeDir struct {
	t    *testing.T
	path string
}

func newACMEDir(t *testing.T) acmeDir {
	return acmeDir{t, filepath.Join(t.TempDir(), "acme")}
}

// keeper makes a keeper for names. What lies in the directory is its own.
func (d acmeDir) keeper(names ...string) *acme.Keeper {
	d.t.Helper()
	k, err := acme.New(acme.Config{Names: names, Directory: "https://ca.test/dir", Dir: d.path, Challenges: []acme.Challenge{acme.HTTP01}})
	if err != nil {
		d.t.Fatal(err)
	}
	return k
}

// put writes a certificate for a name, with its key, into a file.
func (d acmeDir) put(file, name string) {
	d.t.Helper()
	pair := certify(d.t, d.t.TempDir(), name)
	var text []byte
	for _, path := range []string{pair.Key, pair.Certificate} {
		b, err := os.ReadFile(path)
		if err != nil {
			d.t.Fatal(err)
		}
		text = append(text, b...)
	}
	d.write(file, text)
}

func (d acmeDir) write(file string, text []byte) {
	d.t.Helper()
	path := filepath.Join(d.path, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func certificates(t *testing.T, pairs []certificate.KeyPair, k *acme.Keeper) *certificate.Set {
	t.Helper()
	c, err := certificate.Load(pairs, k)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChallengesAreAnsweredInPlainText(t *testing.T) {
	t.Parallel()
	d := newACMEDir(t)
	k := d.keeper("a.test")
	for _, redirect := range []bool{false, true} {
		c := Config{Certificates: certificates(t, nil, k), RedirectHTTPS: redirect}
		d.write("challenges/token-1", []byte("token-1.thumb"))
		s := serve(t, c, route(start(t, protocol.ProtocolHTTP, 0, say("app"))))
		p := s.dial()
		for path, want := range map[string]string{
			"/.well-known/acme-challenge/token-1": "token-1.thumb", "http://a.test/.well-known/acme-challenge/token-1": "token-1.thumb",
			"/.well-known/acme-challenge/token-2": "app", "/.well-known/acme-challenge/": "app", "/.well-known/acme-challenge/../../ca.test-dir/account.pem": "app",
			"/.well-known/acme-challenge": "app",
		} {
			got := p.get(path)
			if redirect && want == "app" {
				if got.Status != 308 {
					t.Errorf("%s: got %+v, want to be sent to HTTPS", path, got)
				}
			} else if got.Status != 200 || got.Body != want {
				t.Errorf("%s: got %+v, want %q", path, got, want)
			}
		}
		if r := p.send("HEAD /.well-known/acme-challenge/token-1 HTTP/1.1\r\nHost: a\r\n\r\n").receive("HEAD"); r.Status != 200 || r.Header.Get("Content-Length") != "13" {
			t.Errorf("HEAD: got %+v", r)
		}
		if r := p.send("POST /.well-known/acme-challenge/token-1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx").receive("POST"); r.Body == "token-1.thumb" {
			t.Errorf("POST: got %+v", r)
		}
	}
}

func TestProofsAreShownToAuthoritiesOnly(t *testing.T) {
	t.Parallel()
	d := newACMEDir(t)
	d.put("ca.test-dir/a.test.pem", "a.test")
	k := d.keeper("a.test", "b.test")
	d.put("challenges/a.test.pem", "a.test")
	_, addr := serveTLS(t, Config{Certificates: certificates(t, nil, k)}, route())
	current, _ := k.Certificate("a.test")
	dial := func(name string, protocols ...string) (*tls.Conn, error) {
		return tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, ServerName: name, NextProtos: protocols})
	}
	c, err := dial("a.test", certificate.ACMEProtocol)
	if err != nil {
		t.Fatal(err)
	}
	if state := c.ConnectionState(); state.PeerCertificates[0].Equal(current.Leaf) || state.NegotiatedProtocol != certificate.ACMEProtocol {
		t.Errorf("got protocol %q and the usual certificate", state.NegotiatedProtocol)
	}
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("got %d bytes after the proof", n)
	}
	if _, err := dial("b.test", certificate.ACMEProtocol); err == nil {
		t.Error("a proof that nobody asks for is shown")
	}
	for _, protocols := range [][]string{{"http/1.1"}, {certificate.ACMEProtocol, "http/1.1"}, nil} {
		c, err := dial("a.test", protocols...)
		if err != nil {
			t.Fatal(err)
		}
		if !c.ConnectionState().PeerCertificates[0].Equal(current.Leaf) {
			t.Errorf("%q: got another certificate", protocols)
		}
		c.Close()
	}
}

func TestCertificatesOfFilesWinOverIssuedOnes(t *testing.T) {
	t.Parallel()
	d := newACMEDir(t)
	for _, name := range []string{"one.test", "two.test"} {
		d.put("ca.test-dir/"+name+".pem", name)
	}
	k := d.keeper("one.test", "two.test", "late.test")
	file := certify(t, t.TempDir(), "one.test")
	shown := func(addr, name string) (string, bool) {
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, ServerName: name})
		if err != nil {
			return err.Error(), false
		}
		defer c.Close()
		leaf := c.ConnectionState().PeerCertificates[0]
		_, issued := k.Certificate(leaf.DNSNames[0])
		own, _ := k.Certificate(leaf.DNSNames[0])
		return leaf.DNSNames[0], issued && own.Leaf.Equal(leaf)
	}
	for _, test := range []struct {
		name   string
		files  []certificate.KeyPair
		want   string
		issued bool
	}{
		{"one.test", []certificate.KeyPair{file}, "one.test", false},
		{"two.test", []certificate.KeyPair{file}, "two.test", true},
		{"TWO.test.", []certificate.KeyPair{file}, "two.test", true},
		{"other.test", []certificate.KeyPair{file}, "one.test", false},
		{"", []certificate.KeyPair{file}, "one.test", false},
		{"late.test", []certificate.KeyPair{file}, "remote error: tls: internal error", false},
		{"one.test", nil, "one.test", true},
		{"other.test", nil, "one.test", true},
		{"", nil, "one.test", true},
		{"late.test", nil, "remote error: tls: internal error", false},
	} {
		_, addr := serveTLS(t, Config{Certificates: certificates(t, test.files, k)}, route())
		if got, issued := shown(addr, test.name); got != test.want || issued != test.issued {
			t.Errorf("%q with %d files: got %q, issued %v; want %q, %v", test.name, len(test.files), got, issued, test.want, test.issued)
		}
	}
}

func TestMetricsSayWhenCertificatesEnd(t *testing.T) {
	t.Parallel()
	d := newACMEDir(t)
	d.put("ca.test-dir/a.test.pem", "a.test")
	file := certify(t, t.TempDir(), "b.test")
	p := New(Config{Timeouts: quick, Certificates: certificates(t, []certificate.KeyPair{file}, d.keeper("a.test", "late.test"))})
	var m control.Metrics
	p.metrics(&m)
	text := string(m.Text())
	for _, want := range []string{
		`passenger_certificate_expiry_timestamp_seconds{name="a.test",file=""} `,
		`passenger_certificate_expiry_timestamp_seconds{name="b.test",file="` + file.Certificate + `"} `,
		`passenger_certificate_failures{name="late.test"} 0`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got no %s in %s", want, text)
		}
	}
	if strings.Contains(text, `seconds{name="late.test"`) {
		t.Error("a certificate that is not there ends")
	}
}
