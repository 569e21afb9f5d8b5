//go:build go1.26 && !go1.27

package wire

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"reflect"
	"testing"
	"time"
	"unsafe"
)

func TestSlimConnectionsReadAllThatCame(t *testing.T) {
	t.Parallel()
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := overTLS(t, version)
			text := make([]byte, 300_000)
			_, _ = rand.Read(text) // it never fails
			go func() {
				for rest := text; len(rest) > 0; { // in records of many lengths
					n := min(len(rest), 1+int(rest[0])*int(rest[0]))
					_, _ = client.Write(rest[:n]) // the test reads what came
					rest = rest[n:]
				}
				client.Close()
			}()
			var got []byte
			for piece := 1; ; piece = piece*3%4099 + 1 {
				part := make([]byte, piece)
				n, err := server.Read(part)
				got = append(got, part[:n]...)
				Slim(server)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatalf("after %d bytes: %v", len(got), err)
				}
			}
			if !bytes.Equal(got, text) {
				t.Errorf("got %d bytes, want the %d that were sent", len(got), len(text))
			}
		})
	}
}

func TestSlimConnectionsHoldNoBuffers(t *testing.T) {
	t.Parallel()
	server, client := overTLS(t, tls.VersionTLS13)
	for range 2 {
		go func() { _, _ = client.Write([]byte("hello")) }() // the read tells
		if _, err := io.ReadFull(server, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		if held(server) == 0 {
			t.Error("got no buffer in a connection that was read from; this test would not notice one")
		}
		if Slim(server); held(server) != 0 {
			t.Errorf("got buffers of %d bytes, want none", held(server))
		}
	}
	Slim(client.NetConn()) // is none of TLS
}

func TestOnlyBuffersAreTakenForSuch(t *testing.T) {
	t.Parallel()
	type renamed struct {
		rawInput []byte
		other    bytes.Buffer
	}
	if got := buffersIn(reflect.TypeFor[renamed](), "rawInput", "hand"); got != nil {
		t.Errorf("got offsets %v, want none", got)
	}
	_ = renamed{rawInput: nil, other: bytes.Buffer{}}
}

// held is how much room the buffers of c have.
func held(c *tls.Conn) (room int) {
	for _, offset := range tlsBuffers {
		room += (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), offset)).Cap()
	}
	return room
}

// overTLS returns the ends of a connection whose handshake is over.
func overTLS(t *testing.T, version uint16) (server, client *tls.Conn) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a, b := net.Pipe()
	server = tls.Server(a, &tls.Config{MaxVersion: version, Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}}})
	client = tls.Client(b, &tls.Config{InsecureSkipVerify: true})
	t.Cleanup(func() { a.Close(); b.Close() })
	failed := make(chan error, 1)
	go func() { failed <- client.Handshake() }()
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	return server, client
}
