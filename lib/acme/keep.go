package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"
)

const (
	// orderTime bounds one order, retries of single requests included.
	orderTime = 5 * time.Minute

	// lookAgain is the longest wait before a certificate is looked at again.
	// Timers stand still while a machine sleeps.
	lookAgain = time.Hour

	// Pauses after failed orders double from the first to the longest. Let's
	// Encrypt allows five failed proofs of a name in an hour.
	firstPause   = time.Minute
	longestPause = 6 * time.Hour
)

// A limitError says that the authority wants no more orders for a while.
type limitError struct {
	error
	wait time.Duration
}

func (e *limitError) Unwrap() error { return e.error }

// keep keeps one certificate fresh until ctx ends.
func (k *Keeper) keep(ctx context.Context, n *name) {
	var wait time.Duration // none: it may be due already
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-n.wake:
			timer.Stop()
		case <-timer.C:
		}
		if left := n.left(time.Now()); left > 0 {
			wait = min(left, lookAgain)
			continue
		}
		err := k.renew(ctx, n)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			n.failures.Store(0)
			wait = 0
			continue
		}
		failures := n.failures.Add(1)
		wait = pause(int(failures), err)
		slog.Error("certificate not renewed", "name", n.text, "failures", failures, "next_try", wait.Round(time.Second), "err", err)
	}
}

// left is how long the certificate of n need not be renewed, 0 if it is due.
func (n *name) left(now time.Time) time.Duration {
	c := n.current.Load()
	if c == nil {
		return 0
	}
	return max(renewAt(c.Leaf).Sub(now), 0)
}

// renewAt is when a certificate is due: two thirds of its life are over.
func renewAt(leaf *x509.Certificate) time.Time {
	return leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) * 2 / 3)
}

// pause is how long to wait after the nth failure in a row, with up to a tenth
// more, so that proxies that failed together do not come back together.
func pause(n int, err error) time.Duration {
	d := longestPause
	if n <= 10 {
		d = min(firstPause<<(n-1), longestPause)
	}
	var limited *limitError
	if errors.As(err, &limited) {
		d = max(d, limited.wait)
	}
	return d + rand.N(d/10)
}

// renew gets a new certificate for n, from the directory if another proxy put
// it there.
func (k *Keeper) renew(ctx context.Context, n *name) error {
	select {
	case k.slots <- struct{}{}:
		defer func() { <-k.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, orderTime)
	defer cancel()
	lock, err := k.store.lock(ctx, n.text)
	if err != nil {
		return err
	}
	defer lock.Close()
	b, err := k.store.load(n.text)
	if err != nil {
		return err
	}
	if b != nil && time.Now().Before(renewAt(b.leaf)) {
		n.current.Store(b.certificate())
		return nil
	}
	if b, err = k.issuer.order(ctx, n.text, int(n.failures.Load())); err != nil {
		return err
	}
	if err := k.store.save(n.text, b); err != nil {
		// It is good for this proxy all the same, and ordering another would
		// change nothing.
		slog.Error("certificate not kept for the next start", "name", n.text, "err", err)
	}
	n.current.Store(b.certificate())
	slog.Info("certificate renewed", "name", n.text, "expires", b.leaf.NotAfter)
	return nil
}
