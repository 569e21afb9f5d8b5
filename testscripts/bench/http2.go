package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// How h2load asks: so many connections, each with so many requests at once.
const (
	http2Connections = 32
	http2Streams     = 10
)

var (
	h2loadRateRE  = regexp.MustCompile(`(?m)^finished in [^,]*, ([\d.]+) req/s`)
	h2loadCountRE = regexp.MustCompile(`(?m)^requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout`)
)

// http2Load asks over HTTP/2, encrypted. Any error or status other than 2xx and
// 3xx is an error: then the work was not measured.
func http2Load(ctx context.Context, s *server, duration time.Duration) (rate, error) {
	seconds := strconv.Itoa(max(1, int(duration.Round(time.Second)/time.Second)))
	cmd := exec.CommandContext(ctx, "h2load", "-t1", "-c"+strconv.Itoa(http2Connections), "-m"+strconv.Itoa(http2Streams), "-D"+seconds, s.url+"/")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return rate{}, fmt.Errorf("h2load: %w: %s", err, out)
	}
	perSecond, n := h2loadRateRE.FindSubmatch(out), h2loadCountRE.FindSubmatch(out)
	if perSecond == nil || n == nil {
		return rate{}, fmt.Errorf("h2load printed no result: %s", out)
	}
	if string(n[2]) != "0" || string(n[3]) != "0" || string(n[4]) != "0" {
		return rate{}, fmt.Errorf("h2load saw errors: %s", n[0])
	}
	var r rate
	r.requests, _ = strconv.Atoi(string(n[1])) // digits, by the expression
	if r.perSecond, err = strconv.ParseFloat(string(perSecond[1]), 64); err != nil {
		return rate{}, fmt.Errorf("h2load printed %q as rate: %w", perSecond[1], err)
	}
	if r.requests == 0 {
		return rate{}, fmt.Errorf("h2load got no answer in %v", duration)
	}
	return r, nil
}

// nginxHTTP2 speaks HTTP/2 to who asks for it, as nginx before 1.25 is told to.
func nginxHTTP2(_ *lab, s site) (command, error) {
	cert, key, err := certificate(s.dir)
	if err != nil {
		return command{}, err
	}
	return nginxListening(s, fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s;", cert, key), " ssl http2")
}

// ourProxyTLS speaks HTTP/2 to who asks for it.
func ourProxyTLS(l *lab, s site) (command, error) {
	cert, key, err := certificate(s.dir)
	if err != nil {
		return command{}, err
	}
	s.scheme = "tls:"
	return ourProxyWith("--certificate", cert, "--key", key)(l, s)
}

// certificate makes one for 127.0.0.1 in dir, and its key.
func certificate(dir string) (cert, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	about := x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	public, err := x509.CreateCertificate(rand.Reader, &about, &about, &private.PublicKey, private)
	if err != nil {
		return "", "", err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", err
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public}), 0o600); err != nil {
		return "", "", err
	}
	return cert, key, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)
}
