// Package certificate holds the certificates of a proxy, keeps them fresh, and
// chooses which one a client gets.
package certificate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"passenger/lib/acme"
	"passenger/lib/control"
)

// A KeyPair names the files of a certificate, with its chain, and of its key.
type KeyPair struct{ Certificate, Key string }

// A Set holds the certificates of files, as they were when they could be read
// last, and those that a Keeper gets. A client gets the one that fits the name it
// asks for, one of a file before one of the keeper, and the first if none fits.
// A name that the keeper has nothing for yet is refused: a stranger's
// certificate would only teach people to click warnings away.
type Set struct {
	pairs  []KeyPair
	keeper *acme.Keeper // nil if there is none
	config atomic.Pointer[tls.Config]
	seen   []time.Time // when the files changed last; only Run uses it
	again  chan struct{}
}

// Load reads the files. keeper may be nil if there are some.
func Load(pairs []KeyPair, keeper *acme.Keeper) (*Set, error) {
	if len(pairs) == 0 && keeper == nil {
		return nil, errors.New("no certificate is given")
	}
	c := &Set{pairs: pairs, keeper: keeper, again: make(chan struct{}, 1)}
	c.seen = c.changes()
	return c, c.load()
}

// suites are those of TLS 1.2 that testers of today find nothing wrong with:
// forward secret and authenticated. Those of TLS 1.3 all are.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

func (c *Set) load() error {
	config := &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: suites, NextProtos: []string{"h2", "http/1.1"}}
	for _, p := range c.pairs {
		cert, err := tls.LoadX509KeyPair(p.Certificate, p.Key)
		if err != nil {
			return fmt.Errorf("certificate %q with key %q: %w", p.Certificate, p.Key, err)
		}
		config.Certificates = append(config.Certificates, cert)
	}
	if c.keeper != nil {
		config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return c.choose(config, hello) }
	}
	c.config.Store(config)
	return nil
}

// errNoCertificate says that a name is ours but its certificate has not come.
var errNoCertificate = errors.New("the certificate for this name has not been issued yet")

// choose finds the certificate for a client, nil for the first of the files.
func (c *Set) choose(config *tls.Config, hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	for i := range config.Certificates {
		if hello.SupportsCertificate(&config.Certificates[i]) == nil {
			return &config.Certificates[i], nil
		}
	}
	cert, wanted := c.keeper.Certificate(serverName(hello))
	if cert == nil && !wanted && len(config.Certificates) == 0 {
		cert = c.keeper.Any()
	}
	if cert == nil && (wanted || len(config.Certificates) == 0) {
		return nil, errNoCertificate
	}
	return cert, nil
}

func serverName(hello *tls.ClientHelloInfo) string {
	return strings.ToLower(strings.TrimRight(hello.ServerName, "."))
}

// ACMEProtocol is what an authority negotiates that asks for a proof, and then
// closes the connection (RFC 8737).
const ACMEProtocol = "acme-tls/1"

// Config returns a configuration for servers that always has the newest
// certificates. It is to be used as it is, not copied: it holds the keys of
// session tickets, which change once a day.
func (c *Set) Config() *tls.Config {
	return &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if c.keeper == nil || !slices.Equal(hello.SupportedProtos, []string{ACMEProtocol}) {
			return c.config.Load(), nil
		}
		proof := c.keeper.Proof(serverName(hello))
		if proof == nil {
			return nil, errNoCertificate
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*proof}, NextProtos: []string{ACMEProtocol}}, nil
	}}
}

// Reload makes Run read the files again, and try again to get the certificates
// that failed.
func (c *Set) Reload() {
	select {
	case c.again <- struct{}{}:
	default:
	}
	if c.keeper != nil {
		c.keeper.Retry()
	}
}

// Run keeps the certificates fresh until ctx ends.
func (c *Set) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	if c.keeper != nil {
		wg.Go(func() { c.keeper.Run(ctx) })
	}
	c.watch(ctx)
}

// lookForChanges is how often the files are looked at.
const lookForChanges = 5 * time.Second

// watch reads the files anew when they change, until ctx ends. What cannot be
// read, or does not fit together, leaves the old certificates in use.
func (c *Set) watch(ctx context.Context) {
	if len(c.pairs) == 0 {
		return
	}
	ticker := time.NewTicker(lookForChanges)
	defer ticker.Stop()
	for {
		asked := false
		select {
		case <-ctx.Done():
			return
		case <-c.again:
			asked = true
		case <-ticker.C:
		}
		now := c.changes()
		if !asked && slices.EqualFunc(now, c.seen, time.Time.Equal) {
			continue
		}
		c.seen = now
		if err := c.load(); err != nil {
			slog.Error("could not read the certificates again; the old ones stay", "err", err)
			continue
		}
		slog.Info("certificates read again")
	}
}

// changes says when each file changed last, the zero time for a missing one.
func (c *Set) changes() []time.Time {
	var list []time.Time
	for _, p := range c.pairs {
		for _, name := range []string{p.Certificate, p.Key} {
			var at time.Time
			if info, err := os.Stat(name); err == nil {
				at = info.ModTime()
			}
			list = append(list, at)
		}
	}
	return list
}

// Answer is what an authority gets that asks in plain text for a token of ours.
func (c *Set) Answer(token string) (text string, ok bool) {
	if c.keeper == nil {
		return "", false
	}
	return c.keeper.Answer(token)
}

// Metrics adds when each certificate ends, and what could not be had by ACME.
func (c *Set) Metrics(m *control.Metrics) {
	const expiry, help = "passenger_certificate_expiry_timestamp_seconds", "When a certificate ends."
	for i, cert := range c.config.Load().Certificates {
		m.Gauge(expiry, help, float64(cert.Leaf.NotAfter.Unix()), "name", strings.Join(cert.Leaf.DNSNames, " "), "file", c.pairs[i].Certificate)
	}
	if c.keeper == nil {
		return
	}
	for _, s := range c.keeper.Status() {
		if !s.Expiry.IsZero() {
			m.Gauge(expiry, help, float64(s.Expiry.Unix()), "name", s.Name, "file", "")
		}
		m.Gauge("passenger_certificate_failures", "Attempts in a row to get a certificate by ACME that failed.", float64(s.Failures), "name", s.Name)
	}
}
