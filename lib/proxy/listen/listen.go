// Package listen makes the listening sockets of a proxy from their addresses,
// and hands them over to a successor, so that no client is refused between the
// two.
package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"passenger/lib/systemd"
	"passenger/lib/unixsock"
)

// keepAlive finds peers that vanished while a connection is quiet by right: a
// tunnel, a slow answer.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4}

// At listens at an address: "HOST:PORT", ":PORT", "unix:PATH", or "fd:N"
// or "fd:NAME" for a descriptor that we were started with, by its number or by the
// name that its socket unit gives it. With "tls:" before it,
// connections begin with a TLS handshake. With "secure-headers:" before a unix
// socket, whose file is for us alone, requests may say by secure headers which
// app they are for. f is for unix sockets.
func At(address string, f SocketFile) (net.Listener, error) {
	if rest, ok := strings.CutPrefix(address, "tls:"); ok && !strings.HasPrefix(rest, headersPrefix) {
		l, err := At(rest, f)
		if err != nil {
			return nil, err
		}
		return &TLS{l}, nil
	}
	if rest, ok := strings.CutPrefix(strings.TrimPrefix(address, "tls:"), headersPrefix); ok {
		path, ok := strings.CutPrefix(rest, "unix:")
		if !ok || len(address) > len(headersPrefix)+len(rest) {
			return nil, errors.New("secure headers are believed on unix sockets only: it is secure-headers:unix:PATH")
		}
		f.Usual = 0o600
		l, err := listenUnix(path, f)
		if err != nil {
			return nil, err
		}
		return &Headers{l}, nil
	}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return listenUnix(path, f)
	}
	if fd, ok := strings.CutPrefix(address, "fd:"); ok {
		return listenFD(fd)
	}
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		return nil, fmt.Errorf("%q is not an address; it is HOST:PORT, :PORT, unix:PATH, fd:N or fd:NAME", address)
	}
	lc := net.ListenConfig{KeepAliveConfig: keepAlive}
	l, err := lc.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, reason(err)
	}
	return l, nil
}

// reason is what the system said, without the address, which the caller
// names.
func reason(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// headersPrefix is before an address whose clients may send secure headers.
const headersPrefix = "secure-headers:"

// A TLS accepts connections that begin with a TLS handshake.
type TLS struct{ net.Listener }

// A Headers accepts connections of a web server of ours that may
// configure apps.
type Headers struct{ net.Listener }

func listenUnix(path string, f SocketFile) (net.Listener, error) {
	if path == "" {
		return nil, errors.New("the path is empty")
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, syscall.EADDRINUSE
	}
	l, err := unixsock.ListenFor(path, f.mode(0o666), f.gid())
	if err != nil {
		return nil, err
	}
	return &unixListener{UnixListener: l, path: path}, nil
}

// A unixListener removes its file when it is closed.
type unixListener struct {
	*net.UnixListener
	path string
	kept atomic.Bool // the file is a successor's now
}

func (l *unixListener) Close() error {
	err := l.UnixListener.Close()
	if l.kept.Load() {
		return err
	}
	if rerr := os.Remove(l.path); err == nil && !errors.Is(rerr, fs.ErrNotExist) {
		err = rerr
	}
	return err
}

// keepFile leaves the file of a unix socket to a successor.
func keepFile(l net.Listener) {
	switch l := l.(type) {
	case *TLS:
		keepFile(l.Listener)
	case *Headers:
		keepFile(l.Listener)
	case *unixListener:
		l.SetUnlinkOnClose(false)
		l.kept.Store(true)
	}
}

// wrap makes of a listener that was handed over what At makes of an
// address.
func wrap(address string, l net.Listener) net.Listener {
	rest, secure := strings.CutPrefix(address, "tls:")
	rest, configures := strings.CutPrefix(rest, headersPrefix)
	if u, ok := l.(*net.UnixListener); ok && strings.HasPrefix(rest, "unix:") {
		l = &unixListener{UnixListener: u, path: strings.TrimPrefix(rest, "unix:")}
	}
	switch {
	case secure:
		return &TLS{l}
	case configures:
		return &Headers{l}
	}
	return l
}

func (l *unixListener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// descriptor is the number of a descriptor that we were started with.
func descriptor(text string) (int, error) {
	if fd, err := strconv.Atoi(text); err == nil {
		if fd < systemd.FirstSocket {
			return 0, fmt.Errorf("%d is not the number of a descriptor over 2", fd)
		}
		return fd, nil
	}
	var found, names []string
	fd := 0
	for _, s := range systemd.Sockets() {
		names = append(names, strconv.Quote(s.Name))
		if s.Name == text {
			found, fd = append(found, s.Name), s.FD
		}
	}
	switch {
	case len(names) == 0:
		return 0, fmt.Errorf("no socket was passed, neither %q nor another", text)
	case len(found) == 0:
		return 0, fmt.Errorf("no socket is named %q; there are %s", text, strings.Join(names, ", "))
	case len(found) > 1:
		return 0, fmt.Errorf("%d sockets are named %q; give each a unit of its own, with another FileDescriptorName=", len(found), text)
	}
	return fd, nil
}

func listenFD(text string) (net.Listener, error) {
	fd, err := descriptor(text)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "fd:"+text)
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d is not a listening socket: %w", fd, reason(err))
	}
	syscall.CloseOnExec(fd)
	return l, nil
}
