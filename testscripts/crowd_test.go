package testscripts

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// crowdSize is how many clients of a crowd each address has. In plain text
// half of them keep their connection, and half open a new one for each request.
// Over TLS half of them keep it and half speak HTTP/2, which keeps it too.
const crowdSize = 4

// A crowd is clients that ask while daemons are killed or replaced.
type crowd struct {
	path string

	stopped atomic.Bool
	clients sync.WaitGroup

	good, cut atomic.Int64

	mu      sync.Mutex // guards refused and strange
	refused []string   // connections that were not accepted
	strange []string   // answers that are none
}

// begin starts the clients of the addresses.
func begin(path string, addresses ...address) *crowd {
	c := &crowd{path: path}
	for _, a := range addresses {
		for i := range crowdSize {
			c.clients.Go(func() { c.run(a, i%2 == 0) })
		}
	}
	return c
}

// end stops them.
func (c *crowd) end() {
	c.stopped.Store(true)
	c.clients.Wait()
}

// more waits for more answers.
func (c *crowd) more(n int64) error {
	n += c.good.Load()
	return eventually(fmt.Sprintf("%d answers", n), func() error {
		if got := c.good.Load(); got < n {
			return fmt.Errorf("got %d", got)
		}
		return nil
	})
}

func (c *crowd) run(a address, keep bool) {
	ask, leave := a.asker(c.path, keep)
	defer leave()
	for deadline := time.Now().Add(loadBound); !c.stopped.Load() && time.Now().Before(deadline); {
		err := ask()
		var refused *net.OpError
		switch {
		case err == nil:
			c.good.Add(1)
		case errors.As(err, &refused) && refused.Op == "dial":
			c.note(&c.refused, err)
			time.Sleep(lookEvery)
		case isCut(err):
			c.cut.Add(1)
		default:
			c.note(&c.strange, err)
		}
	}
}

// isCut says that the connection ended before the answer did.
func isCut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func (c *crowd) note(list *[]string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(*list) < 10 {
		*list = append(*list, err.Error())
	}
}
