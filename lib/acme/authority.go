package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
)

// An authority is the certificate authority, as an account of ours sees it.
//
// The library speaks the protocol and no more. Of those that also store, lock
// and renew, certmagic listens on ports by itself and knows the ones of the
// proxy by their numbers only; with it the binary grows by 2.4 MB and eleven
// modules, with this one by 0.2 MB.
type authority struct {
	config Config
	store  *store

	mu     sync.Mutex   // guards client
	client *acme.Client // nil until the account is known to be good
}

const (
	// maxRetries bounds how often one request is sent again after 5xx, 429
	// and refused nonces. What fails longer is the next order's.
	maxRetries = 4

	requestTime = 30 * time.Second

	userAgent = "passenger-proxy"
)

func retryAfter(n int, _ *http.Request, resp *http.Response) time.Duration {
	if n > maxRetries || resp.StatusCode == http.StatusTooManyRequests {
		return -1
	}
	return time.Duration(n) * 250 * time.Millisecond
}

// account returns a client with an account: the one that the directory has, or
// a new one.
func (a *authority) account(ctx context.Context) (*acme.Client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.client != nil {
		return a.client, nil
	}
	lock, err := a.store.lock(ctx, "account")
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	key, err := a.store.accountKey()
	if err != nil {
		return nil, err
	}
	h := a.config.Client
	if h == nil {
		h = &http.Client{Timeout: requestTime}
	}
	c := &acme.Client{Key: key, HTTPClient: h, DirectoryURL: a.config.Directory, UserAgent: userAgent, RetryBackoff: retryAfter}
	if err := a.register(ctx, c); err != nil {
		return nil, err
	}
	a.client = c
	return c, nil
}

// register opens an account, or tells one that exists the present address.
func (a *authority) register(ctx context.Context, c *acme.Client) error {
	var account acme.Account
	if a.config.Email != "" {
		account.Contact = []string{"mailto:" + a.config.Email}
	}
	_, err := c.Register(ctx, &account, acme.AcceptTOS)
	if errors.Is(err, acme.ErrAccountAlreadyExists) {
		if err = nil; account.Contact != nil {
			_, err = c.UpdateReg(ctx, &account)
		}
	}
	if err != nil {
		return fmt.Errorf("open an account at %s: %w", a.config.Directory, err)
	}
	return nil
}

// forget drops the account after an error, so that the next order begins anew:
// the authority may have lost it, or moved.
func (a *authority) forget() {
	a.mu.Lock()
	a.client = nil
	a.mu.Unlock()
}

func (a *authority) order(ctx context.Context, domain string, attempt int) (*bundle, error) {
	b, err := a.orderBy(ctx, domain, a.config.Challenges[attempt%len(a.config.Challenges)])
	if err == nil {
		return b, nil
	}
	a.forget()
	var refused *acme.Error
	if errors.As(err, &refused) {
		if wait, ok := acme.RateLimit(refused); ok {
			err = &limitError{err, wait}
		}
	}
	return nil, err
}

func (a *authority) orderBy(ctx context.Context, domain string, by Challenge) (*bundle, error) {
	c, err := a.account(ctx)
	if err != nil {
		return nil, err
	}
	o, err := c.AuthorizeOrder(ctx, acme.DomainIDs(domain))
	if err != nil {
		return nil, fmt.Errorf("order at %s: %w", a.config.Directory, err)
	}
	for _, url := range o.AuthzURLs {
		if err := a.prove(ctx, c, domain, url, by); err != nil {
			return nil, fmt.Errorf("prove by %s: %w", by, err)
		}
	}
	if _, err = c.WaitOrder(ctx, o.URI); err != nil {
		return nil, fmt.Errorf("order at %s: %w", a.config.Directory, err)
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	chain, err := fetch(ctx, c, o, domain, key)
	if err != nil {
		return nil, fmt.Errorf("certificate from %s: %w", a.config.Directory, err)
	}
	b, err := newBundle(chain, key, domain)
	if err != nil {
		return nil, fmt.Errorf("certificate from %s: %w", a.config.Directory, err)
	}
	return b, nil
}

// fetch asks for the certificate of an order whose names are proved.
func fetch(ctx context.Context, c *acme.Client, o *acme.Order, domain string, key *ecdsa.PrivateKey) ([][]byte, error) {
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{domain}}, key)
	if err != nil {
		return nil, err
	}
	chain, _, failed := c.CreateOrderCert(ctx, o.FinalizeURL, request, true)
	if failed == nil {
		return chain, nil
	}
	// An authority that takes its time need not repeat where the order is, but
	// the library waits for it there only.
	done, err := c.WaitOrder(ctx, o.URI)
	if err != nil || done.Status != acme.StatusValid {
		return nil, failed
	}
	return c.FetchCert(ctx, done.CertURL, true)
}

// prove answers one challenge of an authorization, unless that is valid
// already.
func (a *authority) prove(ctx context.Context, c *acme.Client, domain, url string, by Challenge) error {
	z, err := c.GetAuthorization(ctx, url)
	if err != nil {
		return err
	}
	if z.Status == acme.StatusValid {
		return nil
	}
	for _, challenge := range z.Challenges {
		if challenge.Type != string(by) {
			continue
		}
		remove, err := a.lay(c, domain, challenge)
		if err != nil {
			return err
		}
		defer remove()
		if _, err := c.Accept(ctx, challenge); err != nil {
			return err
		}
		_, err = c.WaitAuthorization(ctx, z.URI)
		return err
	}
	return errors.New("the authority does not offer it")
}

// lay puts the answer to a challenge where each proxy that is asked finds it.
func (a *authority) lay(c *acme.Client, domain string, challenge *acme.Challenge) (remove func(), err error) {
	if challenge.Type == string(HTTP01) {
		answer, err := c.HTTP01ChallengeResponse(challenge.Token)
		if err != nil {
			return nil, err
		}
		return a.store.putAnswer(challenge.Token, answer)
	}
	cert, err := c.TLSALPN01ChallengeCert(challenge.Token, domain)
	if err != nil {
		return nil, err
	}
	key, ok := cert.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("internal error: a proof with a %T", cert.PrivateKey)
	}
	b, err := newBundle(cert.Certificate, key, domain)
	if err != nil {
		return nil, err
	}
	return a.store.putProof(domain, b)
}
