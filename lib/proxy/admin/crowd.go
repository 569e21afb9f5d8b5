package admin

import (
	"container/list"
	"net"
	"sync"
)

// mostConnections is how many may be connected to a port at once. One more closes
// the oldest: those who watch ask and leave, so that the oldest is idle, slow or
// stuck, and a thousand of them keep no probe waiting.
const mostConnections = 64

// A crowd accepts connections, of which it keeps the newest.
type crowd struct {
	net.Listener

	mu  sync.Mutex // guards all
	all *list.List // of *member, the oldest first
}

func newCrowd(l net.Listener) *crowd { return &crowd{Listener: l, all: list.New()} }

// A member is a connection of a crowd.
type member struct {
	net.Conn
	crowd *crowd
	place *list.Element
}

func (c *crowd) Accept() (net.Conn, error) {
	nc, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	m := &member{Conn: nc, crowd: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	m.place = c.all.PushBack(m)
	if c.all.Len() > mostConnections {
		oldest := c.all.Front()
		c.all.Remove(oldest)
		oldest.Value.(*member).Conn.Close()
	}
	return m, nil
}

func (m *member) Close() error {
	m.crowd.mu.Lock()
	m.crowd.all.Remove(m.place) // nothing if it is gone
	m.crowd.mu.Unlock()
	return m.Conn.Close()
}

// CloseWrite ends what we send.
func (m *member) CloseWrite() error {
	if half, ok := m.Conn.(*net.TCPConn); ok {
		return half.CloseWrite()
	}
	return m.Conn.Close()
}

func (c *crowd) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.all.Front(); e != nil; e = e.Next() {
		e.Value.(*member).Conn.Close()
	}
}
