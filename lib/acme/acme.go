// Package acme gets certificates from a certificate authority by ACME (RFC
// 8555) and renews them in time.
//
// A directory holds all that it has, so that a proxy begins with the certificates
// of the last one. Two proxies may share the directory, as during a hand-over, and
// order each certificate once: the one that orders holds a lock, and the next to
// get the lock looks first whether the certificate is there. The answers to the
// authority's challenges lie there too, because it may ask either of the two.
//
// It stands on golang.org/x/crypto/acme. certmagic would bind the ports 80 and 443
// itself, and adds 2.4 MB and eleven modules to the binary.
package acme

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// LetsEncrypt is the directory of the authority that is asked if no other is
// named.
const LetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// A Challenge is a way to prove that a name is ours.
type Challenge string

// The challenges that are known here, by their names in the protocol.
const (
	HTTP01    Challenge = "http-01"     // a file below /.well-known/acme-challenge/ on port 80
	TLSALPN01 Challenge = "tls-alpn-01" // a certificate on port 443; RFC 8737
)

// A Config says which certificates are wanted, and from whom.
type Config struct {
	// Names are the domains, as Domain returns them. Each gets a certificate
	// of its own.
	Names []string

	// Directory is the URL of the authority's directory.
	Directory string

	// Email is where the authority may write to; empty for nowhere.
	Email string

	// Dir holds the account, the certificates and the locks. It is made, for
	// us alone, if it is missing.
	Dir string

	// Challenges are those that we can answer, best first. A name that fails
	// with one is tried with the next.
	Challenges []Challenge

	// Client talks to the authority; nil for one with the system's roots.
	Client *http.Client
}

// Keeper keeps the certificates of a Config fresh.
type Keeper struct {
	issuer issuer
	store  *store
	names  map[string]*name // never changed
	order  []*name          // as in the Config
	slots  chan struct{}    // as many orders may run at once as it has room
}

// An issuer orders a certificate, proving that the name is ours by one of its
// challenges: the attempt says which, counted from 0.
type issuer interface {
	order(ctx context.Context, name string, attempt int) (*bundle, error)
}

// A name is one domain and what we have for it.
type name struct {
	text string
	wake chan struct{} // has room for one: try at once

	current  atomic.Pointer[tls.Certificate] // nil as long as there is none
	failures atomic.Int64                    // since the last success
}

// maxOrders bounds how many orders run at once: authorities count them.
const maxOrders = 4

// New opens the directory and reads the certificates that it has. Only Run
// talks to the authority.
func New(c Config) (*Keeper, error) {
	s, err := openStore(c.Dir, c.Directory)
	if err != nil {
		return nil, err
	}
	k := newKeeper(s, &authority{config: c, store: s}, c.Names)
	for _, n := range k.order {
		b, err := s.load(n.text)
		if err != nil {
			return nil, err
		}
		if b != nil {
			n.current.Store(b.certificate())
		}
	}
	return k, nil
}

func newKeeper(s *store, i issuer, names []string) *Keeper {
	k := &Keeper{issuer: i, store: s, names: map[string]*name{}, slots: make(chan struct{}, maxOrders)}
	for _, text := range names {
		if k.names[text] == nil {
			n := &name{text: text, wake: make(chan struct{}, 1)}
			k.names[text], k.order = n, append(k.order, n)
		}
	}
	return k
}

// Run keeps the certificates fresh until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, n := range k.order {
		wg.Go(func() { k.keep(ctx, n) })
	}
}

// Retry makes Run try at once what failed before.
func (k *Keeper) Retry() {
	for _, n := range k.order {
		select {
		case n.wake <- struct{}{}:
		default:
		}
	}
}

// Certificate returns the certificate for a domain, in lower case. wanted says
// that it is one of ours; the certificate is nil as long as there is none.
func (k *Keeper) Certificate(domain string) (c *tls.Certificate, wanted bool) {
	n := k.names[domain]
	if n == nil {
		return nil, false
	}
	return n.current.Load(), true
}

// Any returns the certificate of the first domain that has one, nil if
// none has: for a client that asks for no name, or for a stranger's.
func (k *Keeper) Any() *tls.Certificate {
	for _, n := range k.order {
		if c := n.current.Load(); c != nil {
			return c
		}
	}
	return nil
}

// Answer returns what to answer to an authority that asks for the token, and
// whether it is one of ours.
func (k *Keeper) Answer(token string) (string, bool) { return k.store.answer(token) }

// Proof returns the certificate that proves to an authority that a domain is
// ours, nil if none is asked for.
func (k *Keeper) Proof(domain string) *tls.Certificate { return k.store.proof(domain) }

// A Status is how it stands with one domain.
type Status struct {
	Name     string
	Expiry   time.Time // zero if there is no certificate
	Failures int       // attempts in a row that failed
}

// Status lists the domains.
func (k *Keeper) Status() []Status {
	var list []Status
	for _, n := range k.order {
		s := Status{Name: n.text, Failures: int(n.failures.Load())}
		if c := n.current.Load(); c != nil {
			s.Expiry = c.Leaf.NotAfter
		}
		list = append(list, s)
	}
	return list
}

// Domain checks that an authority can give a certificate for a name, and
// returns it in lower case.
func Domain(text string) (string, error) {
	domain := strings.ToLower(strings.TrimSuffix(text, "."))
	if _, err := netip.ParseAddr(domain); err == nil {
		return "", fmt.Errorf("%q is an address; only names get certificates here", text)
	}
	if strings.Contains(domain, "*") {
		return "", fmt.Errorf("%q: a wildcard can only be proved by DNS, which this program does not change; name each domain", text)
	}
	labels := strings.Split(domain, ".")
	if len(labels) < 2 || len(domain) > 253 || slices.ContainsFunc(labels, badLabel) {
		return "", fmt.Errorf("%q is not a public domain name", text)
	}
	return domain, nil
}

func badLabel(label string) bool {
	bad := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	return label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, bad)
}

// CheckDirectory checks the URL of an authority's directory.
func CheckDirectory(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q is not an https:// address", text)
	}
	return nil
}
