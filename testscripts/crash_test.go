package testscripts

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"passenger/lib/statedir"
)

// Clients of a crash: half of them keep their connection, half open a new one
// for each request.
const crashClients = 4

// A crash is daemons that are killed while clients ask.
type crash struct {
	network, address, path string

	stopped atomic.Bool
	clients sync.WaitGroup

	good, cut atomic.Int64

	mu      sync.Mutex // guards refused and strange
	refused []string   // connections that were not accepted
	strange []string   // answers that are none
}

// cmdCrash kills daemons with SIGKILL, several times, while clients GET a path
// from the proxy at an address. It starts again those that the script started;
// the others have a keeper. It fails if a
// connection was refused, if more requests were cut off than there are clients
// at each kill, or if descriptors were left open. It tells how soon after a kill
// a new client had its answer: crash TIMES ADDRESS PATH DAEMON…
func cmdCrash(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: crash TIMES ADDRESS PATH DAEMON…")
	}
	times, err := strconv.Atoi(args[0])
	ts.Check(err)
	w, c := worldOf(ts), &crash{network: "tcp", address: args[1], path: args[2]}
	if path, ok := strings.CutPrefix(args[1], "unix:"); ok {
		c.network, c.address = "unix", path
	}
	for i := range crashClients {
		c.clients.Go(func() { c.run(i%2 == 0) })
	}
	defer c.clients.Wait()
	defer c.stopped.Store(true)
	before := w.openFiles()
	var took []time.Duration
	for range times {
		d, err := c.kill(ts, w, args[3:])
		ts.Check(err)
		took = append(took, d)
		ts.Check(c.more(20))
	}
	c.stopped.Store(true)
	c.clients.Wait()
	slices.Sort(took)
	ts.Logf("%d kills of %v: %d answers, %d cut, %d refused; next answer after %v (median), %v (most)", times, args[3:],
		c.good.Load(), c.cut.Load(), len(c.refused), took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	if n := len(c.refused) + len(c.strange); n > 0 || c.cut.Load() > int64(times*crashClients) {
		ts.Fatalf("refused: %v\nstrange: %v\ncut: %d", c.refused, c.strange, c.cut.Load())
	}
	ts.Check(eventually("the descriptors of before", func() error {
		if now := w.openFiles(); now > before+mostIdle {
			return fmt.Errorf("%d are open, %d were before", now, before)
		}
		return nil
	}))
}

// openFiles counts what spawner and proxy have open.
func (w *world) openFiles() int {
	dir := statedir.At(w.state)
	return descriptors(dir.Holder(statedir.Spawn)) + descriptors(dir.Holder(statedir.Proxy))
}

// kill kills the daemons at once and returns how long a client that comes then
// waits for its answer.
func (c *crash) kill(ts *testscript.TestScript, w *world, daemons []string) (time.Duration, error) {
	dir := statedir.At(w.state)
	var pids []int
	for _, name := range daemons {
		pid := dir.Holder(name)
		if pid <= 1 {
			return 0, fmt.Errorf("no %s runs", name)
		}
		pids = append(pids, pid)
	}
	began := time.Now()
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return 0, err
		}
	}
	for i, name := range daemons {
		if d := w.daemons[name]; d == nil {
			awaitEnd(pids[i])
		} else if err := errors.Join(d.await(), w.start(ts, name, d.cmd.Args)); err != nil {
			return 0, err
		}
	}
	err := c.get(nil)
	took := time.Since(began)
	if err != nil {
		return took, fmt.Errorf("a client that came after the kill: %w", err)
	}
	return took, eventually("new daemons", func() error {
		for i, name := range daemons {
			if pid := dir.Holder(name); pid <= 1 || pid == pids[i] {
				return fmt.Errorf("no new %s runs", name)
			}
		}
		return nil
	})
}

// awaitEnd returns when the process has closed what it had open.
func awaitEnd(pid int) {
	for descriptors(pid) > 0 {
	}
}

// more waits for more answers.
func (c *crash) more(n int64) error {
	n += c.good.Load()
	return eventually(fmt.Sprintf("%d answers", n), func() error {
		if got := c.good.Load(); got < n {
			return fmt.Errorf("got %d", got)
		}
		return nil
	})
}

func (c *crash) run(keep bool) {
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

func (c *crash) note(list *[]string, err error) {
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
func (c *crash) get(k *kept) error {
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
