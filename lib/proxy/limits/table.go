package limits

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// The size of a table: 32,768 clients, 800 KB.
const (
	sets = 4096
	ways = 8
)

var seed = maphash.MakeSeed()

// A table has the clients that asked for something lately, each in the set that its
// address chooses. In a full set a client that has nothing under way makes room, the
// one whose bucket is empty first: nothing is lost of one whose bucket is empty by now.
type table [sets]set

type set struct {
	mu      sync.Mutex // guards all
	clients [ways]client
}

// A client is an address of IPv4, or a network of IPv6 with 64 bits.
type client struct {
	key  uint64 // 0 for none
	rate int64  // when its bucket is empty
	busy int64  // requests under way
}

// keyOf is the address as a number that is not 0. An address of IPv4 is a network
// that IPv6 has no use for.
func keyOf(from netip.Addr) uint64 {
	if from.Is4() {
		b := from.As4()
		return 0xffff<<32 | uint64(binary.BigEndian.Uint32(b[:]))
	}
	b := from.As16()
	return max(binary.BigEndian.Uint64(b[:8]), 1)
}

// find returns the client of an address, and its set, whose mutex the caller releases.
// It is nil if all of its set have requests under way: it is not counted then.
func (t *table) find(from netip.Addr) (*set, *client) {
	key := keyOf(from)
	s := &t[maphash.Comparable(seed, key)%sets]
	s.mu.Lock()
	var room *client
	for i := range s.clients {
		c := &s.clients[i]
		if c.key == key {
			return s, c
		}
		if c.busy == 0 && (room == nil || c.key == 0 || room.key != 0 && c.rate < room.rate) {
			room = c
		}
	}
	if room != nil {
		*room = client{key: key}
	}
	return s, room
}

// enter counts a request of the client. The set's mutex is held.
func (c *client) enter(s *settings, now int64) (over Kind, late int64) {
	if c == nil {
		return None, 0
	}
	if s.clientBusy > 0 && c.busy >= s.clientBusy {
		return ClientConcurrency, int64(time.Second)
	}
	if s.client.step > 0 {
		empty, wait := s.client.next(c.rate, now)
		c.rate = empty
		if wait > 0 {
			return ClientRate, wait
		}
	}
	c.busy++
	return None, 0
}
