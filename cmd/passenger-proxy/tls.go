package main

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"passenger/lib/acme"
	"passenger/lib/cli"
	"passenger/lib/proxy/certificate"
)

// loadCertificates reads the certificates, and returns nil if no listener
// needs any.
func (c *serveCommand) loadCertificates() (*certificate.Set, error) {
	if err := c.checkTLS(); err != nil || !c.secure() {
		return nil, err
	}
	keeper, err := c.keeper(c.challenges())
	if err != nil {
		return nil, err
	}
	certificates, err := certificate.Load(c.pairs(), keeper)
	if err != nil {
		return nil, fmt.Errorf("cannot serve HTTPS: %w", err)
	}
	return certificates, nil
}

// secure says that an address is for TLS.
func (c *serveCommand) secure() bool { return slices.ContainsFunc(c.Listen, isSecure) }

// checkTLS refuses flags for certificates that do not fit the addresses.
func (c *serveCommand) checkTLS() error {
	switch secure := c.secure(); {
	case len(c.Certificate) != len(c.Key):
		return usage("%d times --certificate but %d times --key: each certificate has one key", len(c.Certificate), len(c.Key))
	case secure && len(c.Certificate) == 0 && len(c.Domains) == 0:
		return usage("a tls: address needs --certificate and --key, or --acme-domain")
	case !secure && len(c.Certificate) > 0:
		return usage("certificates without a tls: address to listen on")
	case !secure && len(c.Domains) > 0:
		return usage("--acme-domain without a tls: address to listen on")
	}
	return nil
}

// pairs are the certificates with their keys.
func (c *serveCommand) pairs() (pairs []certificate.KeyPair) {
	for i, name := range c.Certificate {
		pairs = append(pairs, certificate.KeyPair{Certificate: name, Key: c.Key[i]})
	}
	return pairs
}

// challenges are those that our listeners can answer, best first: a file in
// plain text is found behind a load balancer that ends TLS, too.
func (c *serveCommand) challenges() []acme.Challenge {
	if slices.ContainsFunc(c.Listen, func(a string) bool { return !isSecure(a) }) {
		return []acme.Challenge{acme.HTTP01, acme.TLSALPN01}
	}
	return []acme.Challenge{acme.TLSALPN01}
}

func usage(format string, args ...any) error {
	return &cli.Error{Err: fmt.Errorf(format, args...), Status: cli.Usage}
}

func isSecure(address string) bool { return strings.HasPrefix(address, "tls:") }

// httpsPort is where clients in plain text are sent to, the port of the first
// address with TLS, empty for the usual port.
func (c *serveCommand) httpsPort() string {
	i := slices.IndexFunc(c.Listen, isSecure)
	if i < 0 {
		return ""
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(c.Listen[i], "tls:"))
	if err != nil {
		return "" // a unix socket or a descriptor: what clients see is another
	}
	return port
}
