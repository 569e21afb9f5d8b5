package acme

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A fakeIssuer issues certificates of its own, or fails as it is told.
type fakeIssuer struct {
	life time.Duration

	mu     sync.Mutex // guards the fields below
	fail   error
	orders []time.Time
}

func (f *fakeIssuer) order(_ context.Context, domain string, _ int) (*bundle, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.orders = append(f.orders, time.Now())
	if f.fail != nil {
		return nil, f.fail
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(int64(len(f.orders))), DNSNames: []string{domain}, NotBefore: time.Now(), NotAfter: time.Now().Add(f.life)}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return newBundle([][]byte{der}, key, domain)
}

func (f *fakeIssuer) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.orders)
}

func (f *fakeIssuer) set(err error) {
	f.mu.Lock()
	f.fail = err
	f.mu.Unlock()
}

func testStore(t *testing.T, dir string) *store {
	t.Helper()
	s, err := openStore(filepath.Join(dir, "acme"), "https://ca.test/dir")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs k until the end of the test's bubble.
func run(t *testing.T, k *Keeper) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { k.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
}

func TestCertificatesAreRenewedWhenTwoThirdsOfTheirLifeAreOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeIssuer{life: 90 * 24 * time.Hour}
		k := newKeeper(testStore(t, dir), f, []string{"a.test", "b.test", "a.test"})
		run(t, k)
		synctest.Wait()
		if f.count() != 2 {
			t.Fatalf("got %d orders at the start, want one for each name", f.count())
		}
		first, wanted := k.Certificate("a.test")
		if first == nil || !wanted {
			t.Fatalf("got %v, %v", first, wanted)
		}
		time.Sleep(60*24*time.Hour - time.Minute)
		if f.count() != 2 {
			t.Errorf("got %d orders before two thirds of the life", f.count())
		}
		time.Sleep(lookAgain)
		synctest.Wait()
		if again, _ := k.Certificate("a.test"); again == first || f.count() != 4 {
			t.Errorf("got %d orders after it, and the old certificate: %v", f.count(), again == first)
		}
		if c, wanted := k.Certificate("c.test"); c != nil || wanted {
			t.Errorf("a name of others: got %v, %v", c, wanted)
		}
	})
}

func TestFailedOrdersAreTriedAgainEverLater(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeIssuer{life: 90 * 24 * time.Hour, fail: errors.New("down")}
		k := newKeeper(testStore(t, dir), f, []string{"a.test"})
		run(t, k)
		time.Sleep(5 * 24 * time.Hour)
		if n := f.count(); n < 20 || n > 30 {
			t.Errorf("got %d orders in five days", n)
		}
		for i := 1; i < len(f.orders); i++ {
			if gap, want := f.orders[i].Sub(f.orders[i-1]), min(firstPause<<(i-1), longestPause); gap < want || gap > want*11/10 {
				t.Errorf("gap %d: got %v, want %v and a tenth at most", i, gap, want)
			}
		}
		if s := k.Status(); s[0].Failures != f.count() || !s[0].Expiry.IsZero() {
			t.Errorf("got %+v after %d failures", s[0], f.count())
		}
		f.set(nil)
		k.Retry()
		synctest.Wait()
		if s := k.Status(); s[0].Failures != 0 || s[0].Expiry.IsZero() {
			t.Errorf("got %+v after the authority came back and Retry", s[0])
		}
		k.Retry()
		n := f.count()
		time.Sleep(time.Hour)
		if f.count() != n {
			t.Error("Retry ordered again what was fresh")
		}
	})
}

func TestAnAuthorityThatSaysWhenIsObeyed(t *testing.T) {
	t.Parallel()
	err := &limitError{errors.New("too many"), 30 * time.Hour}
	if got := pause(1, err); got < 30*time.Hour || got > 33*time.Hour {
		t.Errorf("got %v, want 30h and a tenth at most", got)
	}
	for n, want := range map[int]time.Duration{1: firstPause, 2: 2 * firstPause, 9: 256 * firstPause, 10: longestPause, 1000: longestPause} {
		if got := pause(n, errors.New("down")); got < want || got > want*11/10 {
			t.Errorf("%d failures: got %v, want %v and a tenth at most", n, got, want)
		}
	}
}

func TestTwoProxiesOnOneDirectoryOrderOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeIssuer{life: 90 * 24 * time.Hour}
		names := []string{"a.test", "b.test", "c.test"}
		one, two := newKeeper(testStore(t, dir), f, names), newKeeper(testStore(t, dir), f, names)
		run(t, one)
		run(t, two)
		for _, at := range []int{3, 6, 9} {
			time.Sleep(time.Minute)
			if f.count() != at {
				t.Fatalf("got %d orders, want %d", f.count(), at)
			}
			for _, n := range names {
				a, _ := one.Certificate(n)
				b, _ := two.Certificate(n)
				if a == nil || b == nil || !a.Leaf.Equal(b.Leaf) {
					t.Errorf("%s: the two have different certificates", n)
				}
			}
			time.Sleep(60*24*time.Hour + lookAgain)
		}
	})
}

func TestAStartUsesWhatTheLastOneKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := testStore(t, dir)
	f := &fakeIssuer{life: time.Hour}
	b, err := f.order(t.Context(), "a.test", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.save("a.test", b); err != nil {
		t.Fatal(err)
	}
	c := Config{Names: []string{"a.test", "b.test"}, Directory: "https://ca.test/dir", Dir: filepath.Join(dir, "acme")}
	k, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := k.Certificate("a.test"); got == nil || !got.Leaf.Equal(b.leaf) {
		t.Errorf("got %v", got)
	}
	if got, wanted := k.Certificate("b.test"); got != nil || !wanted {
		t.Errorf("got %v, %v for a name that none was kept for", got, wanted)
	}

	// A broken one counts as none.
	path := filepath.Join(s.account, "a.test.pem")
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if k, err = New(c); err != nil {
		t.Fatal(err)
	}
	if got, _ := k.Certificate("a.test"); got != nil {
		t.Errorf("got %v from a broken file", got)
	}
}

func TestKeysLieWhereNobodyElseReads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := testStore(t, dir)
	b, err := (&fakeIssuer{life: time.Hour}).order(t.Context(), "a.test", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.save("a.test", b); err != nil {
		t.Fatal(err)
	}
	if _, err := s.accountKey(); err != nil {
		t.Fatal(err)
	}
	lock, err := s.lock(t.Context(), "a.test")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	remove, err := s.putProof("a.test", b)
	if err != nil {
		t.Fatal(err)
	}
	if s.proof("a.test") == nil {
		t.Error("the proof is not found")
	}
	err = filepath.Walk(filepath.Join(dir, "acme"), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	remove()
	for _, name := range []string{"a.test", "../ca.test-dir/a.test"} {
		if s.proof(name) != nil {
			t.Errorf("%s: a proof is found that nobody asks for", name)
		}
	}

	if err := os.Chmod(s.account, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(filepath.Join(dir, "acme"), "https://ca.test/dir"); err == nil {
		t.Error("a directory that a group may read is used")
	}
}
