package selftest

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"passenger/lib/http1"
	"passenger/lib/http1/message"
)

// A client makes the same request again and again, over connections that it keeps.
type client struct {
	network, address string
	request          []byte

	mu   sync.Mutex // guards free
	free []*connection
}

type connection struct {
	net.Conn
	reader *message.Reader
}

// get makes a request and reads the answer to its end. A kept connection that
// ended before a byte of the answer came is no failure: another one is opened, as
// all clients of HTTP do.
func (c *client) get() (status int, err error) {
	if kept := c.kept(); kept != nil {
		status, unheard, err := c.on(kept)
		if !unheard {
			return status, err
		}
	}
	d := net.Dialer{Timeout: patience}
	conn, err := d.Dial(c.network, c.address)
	if err != nil {
		return 0, err
	}
	status, _, err = c.on(&connection{conn, message.NewReader(conn)})
	return status, err
}

// on makes a request on a connection, which it keeps or closes. unheard says that
// it ended, and no byte came back.
func (c *client) on(conn *connection) (status int, unheard bool, err error) {
	_ = conn.SetDeadline(time.Now().Add(patience)) // sockets have deadlines
	if _, err = conn.Write(c.request); err == nil {
		err = conn.reader.Wait()
	}
	if err != nil {
		conn.Close()
		return 0, !errors.Is(err, os.ErrDeadlineExceeded), err
	}
	var head http1.Response
	for head.Status < 200 {
		if err := conn.reader.Response(&head); err != nil {
			conn.Close()
			return 0, false, err
		}
	}
	_, err = io.Copy(io.Discard, conn.reader.ResponseBody(&head, "GET"))
	if err != nil || !head.KeepAlive || head.Body(false) == http1.UntilClose {
		conn.Close()
		return head.Status, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free = append(c.free, conn)
	return head.Status, false, nil
}

// kept returns the connection that was used last, nil for none.
func (c *client) kept() *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.free)
	if n == 0 {
		return nil
	}
	conn := c.free[n-1]
	c.free = c.free[:n-1]
	return conn
}

func (c *client) close() {
	for conn := c.kept(); conn != nil; conn = c.kept() {
		conn.Close()
	}
}
