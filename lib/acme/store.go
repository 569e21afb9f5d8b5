package acme

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/natefinch/atomic"
)

// A store is a directory with what we got from one authority:
//
//	AUTHORITY/account.pem        the account's key
//	AUTHORITY/NAME.pem           key, certificate and chain of a domain
//	AUTHORITY/NAME.lock          locked (flock) by the proxy that orders it
//	challenges/TOKEN             the answer to an HTTP challenge under way
//	challenges/NAME.pem          the proof of a TLS challenge under way
//
// AUTHORITY is its directory's host and path. Directories are 0700, files
// 0600. All of it may be deleted; then all is ordered again.
type store struct{ account, challenges string }

// openStore makes the directories that are missing. One that others may write
// to or read is refused: keys lie there.
func openStore(dir, authority string) (*store, error) {
	u, err := url.Parse(authority)
	if err != nil {
		return nil, err
	}
	id := strings.Trim(strings.NewReplacer("/", "-", ":", "-").Replace(u.Host+u.Path), "-.")
	s := &store{account: filepath.Join(dir, id), challenges: filepath.Join(dir, "challenges")}
	for _, path := range []string{dir, s.account, s.challenges} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return nil, err
		}
		owner := info.Sys().(*syscall.Stat_t).Uid
		if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || int(owner) != os.Geteuid() {
			return nil, fmt.Errorf("%s is %v of user %d; keys need a directory of our own with mode 0700", path, info.Mode(), owner)
		}
	}
	return s, nil
}

// load returns the certificate of a domain, nil if there is none that is good
// for anything.
func (s *store) load(domain string) (*bundle, error) {
	path := filepath.Join(s.account, domain+".pem")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := decodeBundle(text, domain)
	if err != nil {
		slog.Warn("stored certificate is broken; another will be ordered", "file", path, "err", err)
		return nil, nil
	}
	return b, nil
}

func (s *store) save(domain string, b *bundle) error {
	text, err := b.encode()
	if err != nil {
		return err
	}
	return write(filepath.Join(s.account, domain+".pem"), text)
}

// write replaces a file; a new one is for us alone.
func write(path string, text []byte) error {
	if err := atomic.WriteFile(path, bytes.NewReader(text)); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// accountKey returns the account's key, a new one if there is none. The caller
// holds the lock "account".
func (s *store) accountKey() (*ecdsa.PrivateKey, error) {
	path := filepath.Join(s.account, "account.pem")
	text, err := os.ReadFile(path)
	if err == nil {
		key, _, err := decodeKey(text)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	if text, err = encodeKey(key); err != nil {
		return nil, err
	}
	return key, write(path, text)
}

// lockPause is how often a lock that another holds is tried.
const lockPause = time.Second

// lock waits for the lock of a name, until ctx ends. Closing the file gives it
// up, as does the end of the process. The file stays: to remove it would race
// with the next holder.
func (s *store) lock(ctx context.Context, name string) (*os.File, error) {
	path := filepath.Join(s.account, name+".lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("lock %s: another proxy orders: %w", path, ctx.Err())
		case <-time.After(lockPause):
		}
	}
}

// maxToken is longer than the token of any authority: 43 bytes are usual.
const maxToken = 128

// validToken says that a client's token is one (RFC 8555, 8.3) and so can name
// a file.
func validToken(token string) bool {
	return token != "" && len(token) <= maxToken && !strings.ContainsFunc(token, func(r rune) bool {
		letter := r|0x20 >= 'a' && r|0x20 <= 'z'
		return !letter && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

func (s *store) answer(token string) (string, bool) {
	if !validToken(token) {
		return "", false
	}
	text, err := os.ReadFile(filepath.Join(s.challenges, token))
	return string(text), err == nil
}

// putAnswer keeps the answer to a token until remove is called.
func (s *store) putAnswer(token, text string) (remove func(), err error) {
	if !validToken(token) {
		return nil, fmt.Errorf("the authority's token %q is malformed", token)
	}
	return s.put(token, []byte(text))
}

// proof returns the proof for a domain, nil if none is asked for.
func (s *store) proof(domain string) *tls.Certificate {
	if _, err := Domain(domain); err != nil {
		return nil // it names no file of ours
	}
	text, err := os.ReadFile(filepath.Join(s.challenges, domain+".pem"))
	if err != nil {
		return nil
	}
	b, err := decodeBundle(text, domain)
	if err != nil {
		return nil
	}
	return b.certificate()
}

// putProof keeps the proof for a domain until remove is called.
func (s *store) putProof(domain string, b *bundle) (remove func(), err error) {
	text, err := b.encode()
	if err != nil {
		return nil, err
	}
	return s.put(domain+".pem", text)
}

func (s *store) put(name string, text []byte) (remove func(), err error) {
	path := filepath.Join(s.challenges, name)
	if err := write(path, text); err != nil {
		return nil, err
	}
	return func() { _ = os.Remove(path) }, nil // a file that stays answers no question
}
