package control

import (
	"errors"
	"net"
	"sync"
	"time"
)

// callers are those who are connected.
type callers struct {
	server *Server

	mu    sync.Mutex // guards conns
	conns map[*conn]bool

	served sync.WaitGroup // one for each of conns
}

// longestPause is between two tries to accept a connection, where that fails for
// want of descriptors or memory.
const longestPause = time.Second

// accept serves connections until l is closed, or broken.
func (c *callers) accept(l net.Listener) error {
	var pause time.Duration
	for {
		accepted, err := l.Accept()
		if err != nil {
			var passing net.Error
			//lint:ignore SA1019 it is what tells want of descriptors from a broken listener, as in net/http
			if !errors.As(err, &passing) || !passing.Temporary() {
				return err
			}
			pause = min(max(2*pause, 5*time.Millisecond), longestPause)
			time.Sleep(pause)
			continue
		}
		pause = 0
		n := newConn(c.server, accepted)
		c.mu.Lock()
		c.conns[n] = true
		c.mu.Unlock()
		c.served.Go(func() {
			n.serve()
			c.mu.Lock()
			delete(c.conns, n)
			c.mu.Unlock()
		})
	}
}

// end ends connections without a call at once, the others within grace.
func (c *callers) end(grace time.Duration) {
	c.close(func(n *conn) bool { return n.idle.Load() })
	done := make(chan struct{})
	go func() {
		c.served.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(grace):
		c.close(func(*conn) bool { return true })
	}
}

func (c *callers) close(which func(*conn) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := range c.conns {
		if which(n) {
			n.Close()
		}
	}
}
