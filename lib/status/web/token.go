package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// shortestToken is what a token has to have at least, in bytes. [NewToken] makes
// one of 128 random bits.
const shortestToken = 16

// longestToken bounds what is read of a file.
const longestToken = 1024

// A Token is what a caller over TCP has to know. The empty Token is none.
type Token string

// ReadToken reads the token in a file, without the white space around it. The
// file has to be a regular one that belongs to root or to us and that no other
// user may read or write. A missing one is fs.ErrNotExist.
func ReadToken(path string) (Token, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	switch {
	case !fi.Mode().IsRegular() || !ok:
		return "", fmt.Errorf("token file %q is no regular file", path)
	case fi.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("token file %q has mode %04o: others may read it; it must be 0600", path, fi.Mode().Perm())
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return "", fmt.Errorf("token file %q belongs to user %d, not to root or user %d", path, st.Uid, os.Geteuid())
	}
	b, err := io.ReadAll(io.LimitReader(f, longestToken+1))
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	text := strings.TrimSpace(string(b))
	switch {
	case len(text) < shortestToken:
		return "", fmt.Errorf("token file %q has %d characters; it must have at least %d", path, len(text), shortestToken)
	case len(b) > longestToken:
		return "", fmt.Errorf("token file %q has more than %d bytes", path, longestToken)
	}
	return Token(text), nil
}

// NewToken makes a file with a new token, mode 0600. One that is there already
// is left alone, and is fs.ErrExist.
func NewToken(path string) (Token, error) {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails
	token := Token(hex.EncodeToString(random[:]))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	_, err = f.WriteString(string(token) + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("token file: %w", err), os.Remove(path))
	}
	return token, nil
}

// Missing says that a token file is not there, as opposed to one that may not be
// used.
func Missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// is compares in constant time, whatever the lengths.
func (t Token) is(said string) bool {
	a, b := sha256.Sum256([]byte(t)), sha256.Sum256([]byte(said))
	return t != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// cookieAge is how long a browser need not give the token again.
const cookieAge = 30 * 24 * time.Hour

// cookie is the value of a cookie that is good until a time. It does not hold the
// token, and no longer counts once the token is another.
func (t Token) cookie(until time.Time) string {
	end := strconv.FormatInt(until.Unix(), 10)
	return end + "." + t.seal(end)
}

func (t Token) seal(text string) string {
	h := hmac.New(sha256.New, []byte(t))
	h.Write([]byte("passenger-status cookie until " + text))
	return hex.EncodeToString(h.Sum(nil))
}

// admits says whether a cookie is one of ours and still good.
func (t Token) admits(cookie string, now time.Time) bool {
	end, seal, ok := strings.Cut(cookie, ".")
	if !ok || t == "" || !hmac.Equal([]byte(seal), []byte(t.seal(end))) {
		return false
	}
	until, err := strconv.ParseInt(end, 10, 64)
	return err == nil && now.Unix() < until
}
