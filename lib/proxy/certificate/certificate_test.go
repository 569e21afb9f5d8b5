package certificate

import (
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
	"os"
	"path/filepath"
	"testing"
	"time"
)

// certify writes a certificate for names, signed by itself, and its key.
func certify(t testing.TB, dir string, names ...string) KeyPair {
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
	pair := KeyPair{filepath.Join(dir, names[0]+".crt"), filepath.Join(dir, names[0]+".key")}
	for path, block := range map[string]*pem.Block{
		pair.Certificate: {Type: "CERTIFICATE", Bytes: der}, pair.Key: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return pair
}

// greet says ok to every client.
func greet(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "ok") // the client tells
		c.Close()
	}
}

func TestSessionsAreResumedWhenCertificatesWereReadAgain(t *testing.T) {
	t.Parallel()
	certs, err := Load([]KeyPair{certify(t, t.TempDir(), "a.test")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", certs.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go greet(l)
	config := &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	resumed := func() bool {
		c, err := tls.Dial("tcp", l.Addr().String(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// The ticket comes behind the handshake.
		if b, err := io.ReadAll(c); err != nil || string(b) != "ok" {
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
