package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

func TestMain(m *testing.M) {
	os.Setenv("PEBBLE_VA_NOSLEEP", "1") // it sleeps at random otherwise
	os.Exit(m.Run())
}

// A site is a web server that answers challenges by a Keeper, with a Pebble,
// Let's Encrypt's authority for tests, that finds every name there.
type site struct {
	keeper    *Keeper // set before anybody asks
	authority *httptest.Server
	plain     *httptest.Server
	secure    net.Listener
}

// newSite starts them. broken answers challenges in plain text with an error.
func newSite(t *testing.T, broken bool) *site {
	t.Helper()
	s := &site{}
	s.plain = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := s.keeper.Answer(strings.TrimPrefix(r.URL.Path, "/.well-known/acme-challenge/"))
		if !ok || broken {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, answer)
	}))
	t.Cleanup(s.plain.Close)
	var err error
	s.secure, err = tls.Listen("tcp", "127.0.0.1:0", &tls.Config{NextProtos: []string{"acme-tls/1"}, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return s.keeper.Proof(h.ServerName), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.secure.Close() })
	go func() {
		for {
			c, err := s.secure.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _ = c.(*tls.Conn).Handshake() }()
		}
	}()

	memory, logger := db.NewMemoryStore(), log.New(io.Discard, "", 0)
	issuer := ca.New(logger, memory, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
	validator := va.New(logger, port(s.plain.Listener), port(s.secure), false, resolver(t), memory)
	front := wfe.New(logger, memory, validator, issuer, []string{"ca.test"}, false, false, 1, 1)
	s.authority = httptest.NewTLSServer(front.Handler())
	t.Cleanup(s.authority.Close)
	return s
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// resolver is a name server for which every name is this machine.
func resolver(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)})
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = server.ActivateAndServe() }()
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func (s *site) config(dir string, challenges ...Challenge) Config {
	return Config{Names: []string{"a.test"}, Directory: s.authority.URL + "/dir", Email: "me@a.test", Dir: dir, Challenges: challenges, Client: s.authority.Client()}
}

// open makes the site's keeper.
func (s *site) open(t *testing.T, c Config) *Keeper {
	t.Helper()
	k, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.keeper = k
	return k
}

func TestCertificatesAreOrderedByEachChallenge(t *testing.T) {
	t.Parallel()
	for _, challenge := range []Challenge{HTTP01, TLSALPN01} {
		t.Run(string(challenge), func(t *testing.T) {
			t.Parallel()
			s, dir := newSite(t, false), filepath.Join(t.TempDir(), "acme")
			k := s.open(t, s.config(dir, challenge))
			if err := k.renew(t.Context(), k.order[0]); err != nil {
				t.Fatal(err)
			}
			c, _ := k.Certificate("a.test")
			if err := c.Leaf.VerifyHostname("a.test"); err != nil || len(c.Certificate) < 2 {
				t.Errorf("got a chain of %d, %v", len(c.Certificate), err)
			}
			left, err := os.ReadDir(filepath.Join(dir, "challenges"))
			if len(left) > 0 || err != nil {
				t.Errorf("%d challenges are left behind, %v", len(left), err)
			}

			// The next start has it, and uses the account it has.
			c.Leaf = nil
			later := s.config(dir, challenge)
			later.Email = map[Challenge]string{HTTP01: "other@a.test", TLSALPN01: ""}[challenge]
			again := s.open(t, later)
			if kept, _ := again.Certificate("a.test"); kept == nil || !bytes.Equal(kept.Certificate[0], c.Certificate[0]) {
				t.Errorf("got %v after a start", kept)
			}
			if _, err := again.issuer.order(t.Context(), "b.test", 0); err != nil {
				t.Errorf("another order with the account: %v", err)
			}
		})
	}
}

func TestAnotherChallengeIsTriedAfterAFailure(t *testing.T) {
	t.Parallel()
	s := newSite(t, true)
	k := s.open(t, s.config(filepath.Join(t.TempDir(), "acme"), HTTP01, TLSALPN01))
	if err := k.renew(t.Context(), k.order[0]); err == nil || !strings.Contains(err.Error(), "http-01") {
		t.Fatalf("got %v, want the failed challenge", err)
	}
	k.order[0].failures.Add(1)
	if err := k.renew(t.Context(), k.order[0]); err != nil {
		t.Error(err)
	}
}

func TestAnAccountThatTheAuthorityLostIsOpenedAgain(t *testing.T) {
	t.Parallel()
	s, dir := newSite(t, false), filepath.Join(t.TempDir(), "acme")
	k := s.open(t, s.config(dir, HTTP01))
	if err := k.renew(t.Context(), k.order[0]); err != nil {
		t.Fatal(err)
	}
	other := newSite(t, false)
	c := other.config(dir, HTTP01)
	c.Dir = filepath.Join(t.TempDir(), "acme")
	lost := other.open(t, c)
	key, err := os.ReadFile(filepath.Join(k.store.account, "account.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(lost.store.account, "account.pem"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := lost.renew(t.Context(), lost.order[0]); err != nil {
		t.Error(err)
	}
}

func TestAnAuthorityThatIsDownIsAnError(t *testing.T) {
	t.Parallel()
	var status, asked int
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Retry-After", "7200")
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprint(w, `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"enough"}`)
	}))
	defer s.Close()
	c := Config{Names: []string{"a.test"}, Directory: s.URL, Dir: filepath.Join(t.TempDir(), "acme"), Challenges: []Challenge{HTTP01}, Client: s.Client()}
	k, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, status = range []int{404, 429} {
		asked = 0
		err := k.renew(ctx, k.order[0])
		var limited *limitError
		if err == nil || asked != 1 {
			t.Errorf("%d: got %v after %d requests", status, err, asked)
		}
		if errors.As(err, &limited); limited == nil || limited.wait != 2*time.Hour {
			t.Errorf("%d: got %v, want the wait that was asked for", status, err)
		}
	}
	s.Close()
	if err := k.renew(ctx, k.order[0]); err == nil {
		t.Error("got a certificate from nobody")
	}
}
