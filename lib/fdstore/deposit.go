package fdstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"passenger/lib/unixsock"
)

// Pauses between attempts to reach the store are an eighth of the time that it
// was away, within these bounds: it is soon missed no more, and cheap to miss
// for long.
const (
	leastPause   = 10 * time.Millisecond
	longestPause = time.Second
)

// A Deposit is a server's listening sockets in a store.
type Deposit struct {
	// Path is the store's socket.
	Path string

	// Addresses are those of the sockets.
	Addresses []string

	// With calls f with the descriptors of the sockets, in order.
	With func(f func(fds []int) error) error

	forgotten atomic.Bool
	released  bool
}

// Run keeps the sockets in the store, and in the one that comes after it, until
// ctx ends; then it takes them out, unless it was told to forget them. Without
// a store the server serves no worse.
func (d *Deposit) Run(ctx context.Context) {
	if len(d.Addresses) == 0 {
		return
	}
	for lost := time.Now(); ctx.Err() == nil; {
		c, err := d.put()
		if err == nil {
			err = d.await(ctx, c)
			c.Close()
			lost = time.Now()
		}
		slog.Debug("sockets not kept", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(min(max(time.Since(lost)/8, leastPause), longestPause)):
		}
	}
	if !d.released && !d.forgotten.Load() {
		d.leave()
	}
}

// Forget leaves the sockets to a successor.
func (d *Deposit) Forget() { d.forgotten.Store(true) }

// put brings the sockets to the store. While the connection is open, the store
// knows that we live.
func (d *Deposit) put() (*net.UnixConn, error) {
	c, err := dial(d.Path)
	if err != nil {
		return nil, err
	}
	// While With lasts the sockets cannot be closed: a store that hangs must
	// not hold them up.
	err = d.With(func(fds []int) error { return say(c, request{Action: keep, Addresses: d.Addresses}, fds) })
	if err == nil {
		_, _, err = hear(c)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// await returns when the store ended the connection, or ctx did; then it has
// taken the sockets out.
func (d *Deposit) await(ctx context.Context, c *net.UnixConn) error {
	if err := c.SetDeadline(time.Time{}); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) }) // closed is as good
	defer stop()
	_, err := c.Read(make([]byte, 1))
	if ctx.Err() == nil || d.forgotten.Load() {
		return err
	}
	_, _, err = ask(c, request{Action: release})
	d.released = err == nil
	return err
}

// leave takes out what may be in a store that we have no connection to: one
// that replaced itself this moment. Where the store ends the connection without
// an answer it may have ended itself, and keeps nothing then: a second attempt
// tells.
func (d *Deposit) leave() {
	var err error
	for range 2 {
		var c *net.UnixConn
		if c, err = dial(d.Path); err != nil {
			return // it keeps nothing
		}
		_, _, err = ask(c, request{Action: release})
		c.Close()
		if err == nil {
			return
		}
	}
	slog.Warn("sockets not taken out of the store: clients wait until it closes them", "err", err)
}

// Take returns copies of the sockets that the store at path keeps for one of
// the addresses, all if there are none. The store closes the others. Without a
// store there are none.
func Take(path string, addresses []string) ([]Socket, error) {
	c, err := dial(path)
	if err != nil {
		return nil, nil
	}
	defer c.Close()
	r, fds, err := ask(c, request{Action: take, Addresses: addresses})
	if err != nil {
		return nil, err
	}
	return match(r.Addresses, fds)
}

func dial(path string) (*net.UnixConn, error) {
	c, err := net.DialTimeout("unix", path, answerTime)
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}

// ask sends a request and returns the reply and the descriptors that came with
// it.
func ask(c *net.UnixConn, q request) (reply, []int, error) {
	if err := say(c, q, nil); err != nil {
		return reply{}, nil, err
	}
	return hear(c)
}

func say(c *net.UnixConn, q request, fds []int) error {
	q.Version = version
	text, err := json.Marshal(q)
	if err != nil {
		return err
	}
	if err := c.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	return unixsock.Send(c, text, fds)
}

func hear(c *net.UnixConn) (reply, []int, error) {
	var r reply
	line, fds, err := unixsock.Receive(c)
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err == nil && r.Error != "" {
		err = errors.New(r.Error)
	}
	if err != nil {
		unixsock.CloseAll(fds)
		return r, nil, fmt.Errorf("the store of sockets: %w", err)
	}
	return r, fds, nil
}
