package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"

	"passenger/lib/cli"
	"passenger/lib/proxy"
)

// tls reads the certificates, and returns nil if no listener needs any.
func (c *serveCommand) tls() (*tls.Config, error) {
	secure := c.secureAddress() != ""
	switch {
	case len(c.Certificate) != len(c.Key):
		return nil, usage("%d times --certificate but %d times --key: each certificate has one key", len(c.Certificate), len(c.Key))
	case secure && len(c.Certificate) == 0:
		return nil, usage("a tls: address needs --certificate and --key")
	case !secure && len(c.Certificate) > 0:
		return nil, usage("certificates without a tls: address to listen on")
	case !secure:
		return nil, nil
	}
	var pairs []proxy.KeyPair
	for i, name := range c.Certificate {
		pairs = append(pairs, proxy.KeyPair{Certificate: name, Key: c.Key[i]})
	}
	var err error
	if c.certificates, err = proxy.LoadCertificates(pairs); err != nil {
		return nil, fmt.Errorf("cannot serve HTTPS: %w", err)
	}
	return c.certificates.Config(), nil
}

func usage(format string, args ...any) error {
	return &cli.Error{Err: fmt.Errorf(format, args...), Status: cli.Usage}
}

// secureAddress is the first address with TLS, empty if there is none.
func (c *serveCommand) secureAddress() string {
	for _, a := range c.Listen {
		if rest, ok := strings.CutPrefix(a, "tls:"); ok {
			return rest
		}
	}
	return ""
}

// httpsPort is where clients in plain text are sent to, empty for the usual
// port.
func (c *serveCommand) httpsPort() string {
	_, port, err := net.SplitHostPort(c.secureAddress())
	if err != nil {
		return "" // a unix socket or a descriptor: what clients see is another
	}
	return port
}
