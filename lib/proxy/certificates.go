package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// A KeyPair names the files of a certificate, with its chain, and of its key.
type KeyPair struct{ Certificate, Key string }

// Certificates are those of the files, as they were when they could be read
// last. A client gets the one that fits the name it asks for, the first if
// none does.
type Certificates struct {
	pairs  []KeyPair
	config atomic.Pointer[tls.Config]
	seen   []time.Time // when the files changed last; only Watch uses it
	again  chan struct{}
}

// LoadCertificates reads the files.
func LoadCertificates(pairs []KeyPair) (*Certificates, error) {
	if len(pairs) == 0 {
		return nil, errors.New("no certificate is given")
	}
	c := &Certificates{pairs: pairs, again: make(chan struct{}, 1)}
	c.seen = c.changes()
	return c, c.load()
}

func (c *Certificates) load() error {
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	for _, p := range c.pairs {
		cert, err := tls.LoadX509KeyPair(p.Certificate, p.Key)
		if err != nil {
			return fmt.Errorf("certificate %q with key %q: %w", p.Certificate, p.Key, err)
		}
		config.Certificates = append(config.Certificates, cert)
	}
	c.config.Store(config)
	return nil
}

// Config returns a configuration for servers that always has the newest
// certificates.
func (c *Certificates) Config() *tls.Config {
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.config.Load(), nil }}
}

// Reload makes Watch read the files again.
func (c *Certificates) Reload() {
	select {
	case c.again <- struct{}{}:
	default:
	}
}

// lookForChanges is how often the files are looked at.
const lookForChanges = 5 * time.Second

// Watch reads the files anew when they change, until ctx ends. What cannot be
// read, or does not fit together, leaves the old certificates in use.
func (c *Certificates) Watch(ctx context.Context) {
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
		if !asked && equalTimes(now, c.seen) {
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
func (c *Certificates) changes() []time.Time {
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

func equalTimes(a, b []time.Time) bool {
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}
