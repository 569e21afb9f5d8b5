package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
)

// Sockets are the listening sockets that a former proxy left. A listener made from
// one accepts the connections that wait in the kernel's queue. The zero Sockets
// is empty.
type Sockets struct {
	order []string
	files map[string]*os.File // by address
}

// Add takes a descriptor over. Of several for an address the first counts.
func (s *Sockets) Add(address string, fd int) {
	f := os.NewFile(uintptr(fd), address)
	if s.files[address] != nil {
		f.Close()
		return
	}
	if s.files == nil {
		s.files = map[string]*os.File{}
	}
	s.files[address] = f
	s.order = append(s.order, address)
}

// Take takes the sockets whose names begin with prefix out of s, and returns a
// listener on the one that an address follows, nil if there is none.
func (s *Sockets) Take(prefix, address string) (l net.Listener, err error) {
	s.order = slices.DeleteFunc(s.order, func(name string) bool {
		if !strings.HasPrefix(name, prefix) {
			return false
		}
		if name == prefix+address {
			l, err = net.FileListener(s.files[name])
		}
		s.files[name].Close()
		delete(s.files, name)
		return true
	})
	return l, err
}

// Addresses are those of the sockets, as At takes them.
func (s *Sockets) Addresses() []string { return s.order }

// Narrow closes the sockets that are at none of the addresses, so that we can
// listen at one that differs in its spelling only.
func (s *Sockets) Narrow(addresses []string) {
	s.order = slices.DeleteFunc(s.order, func(a string) bool {
		if slices.Contains(addresses, a) {
			return false
		}
		s.files[a].Close()
		delete(s.files, a)
		return true
	})
}

// Listen returns a listener on the socket at an address, or a new one if there
// is none. file is for unix sockets.
func (s *Sockets) Listen(address string, file SocketFile) (net.Listener, error) {
	f := s.files[address]
	if f == nil || lost(address) {
		return At(address, file)
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("the socket handed over: %w", reason(err))
	}
	l = wrap(address, l)
	if u, ok := l.Addr().(*net.UnixAddr); ok && unixAddress(address) {
		if err := file.apply(u.Name); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// lost reports whether the address is that of a unix socket without its file, to
// which no client can connect any more.
func lost(address string) bool {
	path, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimPrefix(address, "tls:"), headersPrefix), "unix:")
	if !ok {
		return false
	}
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// Close closes them. Listeners made of them are not concerned.
func (s *Sockets) Close() {
	for _, f := range s.files {
		f.Close()
	}
	s.order, s.files = nil, nil
}

// WithDescriptors calls f with the descriptors of listeners that At made,
// which stay what they are: taking them out would make them block. Until f
// returns they cannot be closed.
func WithDescriptors(listeners []net.Listener, f func(fds []int) error) error {
	return withDescriptors(listeners, nil, f)
}

func withDescriptors(listeners []net.Listener, fds []int, f func([]int) error) error {
	if len(listeners) == 0 {
		return f(fds)
	}
	sc, ok := bare(listeners[0]).(syscall.Conn)
	if !ok {
		return errors.New("internal error: a listener without a descriptor")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Control(func(fd uintptr) { inner = withDescriptors(listeners[1:], append(fds, int(fd)), f) })
	return errors.Join(err, inner)
}

// bare is the listener without what At puts around it.
func bare(l net.Listener) net.Listener {
	switch l := l.(type) {
	case *TLS:
		return bare(l.Listener)
	case *Headers:
		return bare(l.Listener)
	case *unixListener:
		return l.UnixListener
	}
	return l
}
