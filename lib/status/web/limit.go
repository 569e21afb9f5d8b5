package web

import (
	"net"
	"sync"
)

// mostConnections is how many clients may be connected at once. Others wait in
// the kernel's queue until one goes: each has little time.
const mostConnections = 2048

// A limited listener accepts no more than so many connections at once.
type limited struct {
	net.Listener
	room chan struct{}
	shut chan struct{}
	once *sync.Once
}

func limit(l net.Listener, most int) net.Listener {
	return limited{l, make(chan struct{}, most), make(chan struct{}), new(sync.Once)}
}

func (l limited) Accept() (net.Conn, error) {
	select {
	case l.room <- struct{}{}:
	case <-l.shut:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.room
		return nil, err
	}
	return &counted{Conn: c, leave: func() { <-l.room }}, nil
}

func (l limited) Close() error {
	l.once.Do(func() { close(l.shut) })
	return l.Listener.Close()
}

// A counted connection gives its place back once.
type counted struct {
	net.Conn
	once  sync.Once
	leave func()
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.leave)
	return err
}
