package testscripts

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A crowd's clients: half of them keep their connection, half open a new one
// for each request.
const crowdSize = 4

// A crowd is clients that ask while daemons are killed or replaced.
type crowd struct {
	network, address, path string

	stopped atomic.Bool
	clients sync.WaitGroup

	good, cut atomic.Int64

	mu      sync.Mutex // guards refused and strange
	refused []string   // connections that were not accepted
	strange []string   // answers that are none
}

// begin starts the clients.
func begin(address, path string) *crowd {
	c := &crowd{network: "tcp", address: address, path: path}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		c.network, c.address = "unix", path
	}
	for i := range crowdSize {
		c.clients.Go(func() { c.run(i%2 == 0) })
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

func (c *crowd) run(keep bool) {
	var k *kept
	if keep {
		k = &kept{}
		defer k.close()
	}
	for deadline := time.Now().Add(loadBound); !c.stopped.Load() && time.Now().Before(deadline); {
		err := c.get(k)
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

// A kept connection is used for one request after the other.
type kept struct {
	net.Conn
	in *bufio.Reader
}

func (k *kept) close() {
	if k.Conn != nil {
		k.Conn.Close()
		k.Conn = nil
	}
}

// get makes a request, on k unless it is nil.
func (c *crowd) get(k *kept) error {
	closing := ""
	if k == nil {
		k, closing = &kept{}, "Connection: close\r\n"
		defer k.close()
	}
	if k.Conn == nil {
		nc, err := net.DialTimeout(c.network, c.address, waitBound)
		if err != nil {
			return err
		}
		k.Conn, k.in = nc, bufio.NewReader(nc)
	}
	err := k.exchange(fmt.Sprintf("GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", c.path, closing))
	if err != nil {
		k.close()
	}
	return err
}

func (k *kept) exchange(request string) error {
	if err := k.SetDeadline(time.Now().Add(waitBound)); err != nil {
		return err
	}
	if _, err := io.WriteString(k, request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(k.in, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %.200s", resp.StatusCode, body)
	}
	if resp.Close {
		k.close()
	}
	return err
}
