// Package fdstore keeps listening sockets in a second process, so that a
// server that crashes refuses no connection: the kernel goes on queueing them,
// and the server's successor takes the sockets from there.
//
// The second process has a [Store], which answers on a unix socket; the server
// has a [Deposit]. Each message is one line of JSON, a [request] or a [reply],
// and the descriptors that belong to its addresses go with it, in their order
// (SCM_RIGHTS in unix(7)). A connection may carry several requests. The store
// takes the one that brought the sockets for the life of the server: while it
// is open nothing else is to be done, and when it ends, the server died or is
// about to take them again.
package fdstore

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"passenger/lib/unixsock"
)

// What a request asks for.
const (
	// keep brings sockets, in place of those kept before.
	keep = "keep"

	// take asks for copies of those at the addresses, all if it names none.
	// The others are closed: the successor does not listen there.
	take = "take"

	// release closes all.
	release = "release"
)

const version = 1

type request struct {
	Version   int      `json:"version"`
	Action    string   `json:"action"`
	Addresses []string `json:"addresses,omitempty"`
}

type reply struct {
	Version   int      `json:"version"`
	Addresses []string `json:"addresses,omitempty"` // of the descriptors sent
	Error     string   `json:"error,omitempty"`
}

// answerTime bounds each exchange of messages.
const answerTime = 2 * time.Second

// A Socket is a descriptor under its address, which means nothing here.
type Socket struct {
	Address string
	FD      int
}

// CloseAll closes the sockets.
func CloseAll(sockets []Socket) { unixsock.CloseAll(descriptors(sockets)) }

func addresses(sockets []Socket) []string {
	var list []string
	for _, s := range sockets {
		list = append(list, s.Address)
	}
	return list
}

func descriptors(sockets []Socket) []int {
	var list []int
	for _, s := range sockets {
		list = append(list, s.FD)
	}
	return list
}

// match puts addresses and descriptors together. It closes the descriptors if
// it cannot.
func match(addresses []string, fds []int) ([]Socket, error) {
	if len(addresses) != len(fds) {
		unixsock.CloseAll(fds)
		return nil, errors.New("the addresses are not as many as the descriptors")
	}
	list := make([]Socket, len(fds))
	for i, fd := range fds {
		list[i] = Socket{addresses[i], fd}
	}
	return list, nil
}

// namePrefix tells our descriptors from others under a name.
const namePrefix = "kept-"

// Name is an address as the name of a descriptor, where colons, commas and
// equal signs have a meaning: to systemd, or when a program replaces itself.
func Name(address string) string { return namePrefix + url.QueryEscape(address) }

// Address is the reverse of Name. ok says that the name is one of ours.
func Address(name string) (address string, ok bool) {
	rest, ok := strings.CutPrefix(name, namePrefix)
	if !ok {
		return "", false
	}
	address, err := url.QueryUnescape(rest)
	return address, err == nil
}
