// Package port finds TCP ports for apps that listen on $PORT.
//
// An app binds its port some time after it was told which. Until it runs, the
// port is held. From then on it cannot be: an app that does not set
// SO_REUSEADDR could not bind a port that another socket is bound to. So ports
// are chosen outside of the ephemeral range, of which the kernel gives ports to
// any connection of any program, and a start whose port was lost is made again.
package port

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	lowest  = 10000 // below are the ports that services have by custom
	highest = 1<<16 - 1

	// enough is how many ports a range must have to be chosen from.
	enough = 256
)

// A Book notes which ports were given to apps that do not listen on them yet.
// The zero value is empty.
type Book struct {
	mu    sync.Mutex  // guards taken
	taken map[int]int // by port the descriptor that holds it, or released
}

// released is in the place of a descriptor of a port that is not held.
const released = -1

// Take finds a port that no program has bound on any address, and holds it. The
// book gives it to no other app until it is left.
func (b *Book) Take() (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ports := candidates(
		read("/proc/sys/net/ipv4/ip_local_port_range", "32768 60999"),
		read("/proc/sys/net/ipv4/ip_local_reserved_ports", ""))
	for _, n := range rand.Perm(len(ports)) {
		port := ports[n]
		if _, given := b.taken[port]; given {
			continue
		}
		fd, err := bind(port, false)
		if err == nil {
			if b.taken == nil {
				b.taken = map[int]int{}
			}
			b.taken[port] = fd
			return port, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) && !errors.Is(err, unix.EACCES) {
			return 0, fmt.Errorf("find a free port: %w", err)
		}
	}
	return 0, errors.New("find a free port: all are taken")
}

// Release lets the app bind its port, which is held no longer.
func (b *Book) Release(port int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if fd, given := b.taken[port]; given && fd != released {
		unix.Close(fd)
		b.taken[port] = released
	}
}

// Leave gives a port back: its app listens on it, or never will.
func (b *Book) Leave(port int) {
	b.Release(port)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.taken, port)
}

// Taken says whether a program has bound the port, on any address.
func Taken(port int) bool {
	fd, err := bind(port, true)
	if err == nil {
		unix.Close(fd)
	}
	return errors.Is(err, unix.EADDRINUSE)
}

// candidates are the ports to choose from: those above the ephemeral range,
// which services never have by custom; if these are few, those below it as
// well; if all are few, every one. The kernel's words are "LOW HIGH" and
// "1,2-3".
func candidates(ephemeral, reserved string) []int {
	low, high, ok := bounds(strings.Fields(ephemeral))
	if !ok {
		low, high = highest+1, lowest-1
	}
	kept := map[int]bool{}
	for part := range strings.SplitSeq(reserved, ",") {
		first, last, found := strings.Cut(part, "-")
		if !found {
			last = first
		}
		if a, b, ok := bounds([]string{first, last}); ok {
			for port := a; port <= b; port++ {
				kept[port] = true
			}
		}
	}
	var ports []int
	add := func(from, to int) {
		for port := from; port <= to && len(ports) < highest; port++ {
			if !kept[port] {
				ports = append(ports, port)
			}
		}
	}
	add(max(high+1, lowest), highest)
	if len(ports) < enough {
		add(lowest, min(low-1, highest))
	}
	if len(ports) < enough {
		add(max(low, lowest), min(high, highest))
	}
	return ports
}

func bounds(words []string) (low, high int, ok bool) {
	if len(words) != 2 {
		return 0, 0, false
	}
	low, err := strconv.Atoi(words[0])
	high, err2 := strconv.Atoi(words[1])
	return low, high, err == nil && err2 == nil && low >= 0 && high <= highest && low <= high
}

func read(path, otherwise string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return otherwise
	}
	return strings.TrimSpace(string(b))
}

// bind binds a socket to the port on all addresses, where it does not listen.
// again allows a port whose last connections have just ended.
func bind(port int, again bool) (fd int, err error) {
	fd, err = bindTo(unix.AF_INET6, &unix.SockaddrInet6{Port: port}, again)
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) { // no IPv6
		fd, err = bindTo(unix.AF_INET, &unix.SockaddrInet4{Port: port}, again)
	}
	return fd, err
}

func bindTo(family int, address unix.Sockaddr, again bool) (fd int, err error) {
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	if family == unix.AF_INET6 {
		if err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0); err != nil {
			return -1, err
		}
	}
	if again {
		if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return -1, err
		}
	}
	return fd, unix.Bind(fd, address)
}
