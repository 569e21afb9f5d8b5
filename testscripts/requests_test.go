package testscripts

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// cmdAwaitRequests waits until N requests (not fewer, not more) are in a phase
// in the proxy: await-requests PHASE N
func cmdAwaitRequests(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await-requests PHASE N")
	}
	w := worldOf(ts)
	ts.Check(eventually(args[1]+" requests "+args[0], func() error {
		var list protocol.RequestList
		err := w.client(statedir.Proxy).Call(context.Background(), http.MethodGet, protocol.PathRequests, nil, &list)
		if err != nil {
			return err
		}
		n := 0
		for _, r := range list.Requests {
			if r.Phase == args[0] {
				n++
			}
		}
		if strconv.Itoa(n) != args[1] {
			return fmt.Errorf("%d are; all requests: %+v", n, list.Requests)
		}
		return nil
	}))
}

// cmdUpgrade asks for an upgrade of the connection, and wants back every byte
// that it sends from then on: upgrade PATH PROTOCOL
func cmdUpgrade(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: upgrade PATH PROTOCOL")
	}
	ts.Check(worldOf(ts).upgrade(args[0], args[1]))
}

func (w *world) upgrade(path, protocol string) error {
	c, err := net.Dial("unix", w.web())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(waitBound)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", path, protocol); err != nil {
		return err
	}
	from := bufio.NewReader(c)
	resp, err := http.ReadResponse(from, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != protocol {
		return fmt.Errorf("got status %d and Upgrade %q, want 101 and %q", resp.StatusCode, resp.Header.Get("Upgrade"), protocol)
	}
	for _, text := range []string{"ping", "\x00\xff\r\n\r\n", string(upload()[:1<<20])} {
		sent := make(chan error, 1) // one sender
		go func() {
			_, err := io.WriteString(c, text)
			sent <- err
		}()
		got := make([]byte, len(text))
		if _, err := io.ReadFull(from, got); err != nil {
			return fmt.Errorf("read the echo of %d bytes: %w", len(text), err)
		}
		if err := <-sent; err != nil {
			return err
		}
		if string(got) != text {
			return fmt.Errorf("the echo of %d bytes differs", len(text))
		}
	}
	return nil
}
