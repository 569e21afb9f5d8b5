package testscripts

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// dialsAtOnce bounds how many connections wait to be accepted.
const dialsAtOnce = 50

// A socket is a WebSocket to an app that echoes.
type socket struct {
	net.Conn
	in *bufio.Reader
}

// cmdSocketsOpen opens WebSockets: sockets-open NAME COUNT PATH
func cmdSocketsOpen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: sockets-open NAME COUNT PATH")
	}
	w := worldOf(ts)
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	list := make([]*socket, n)
	w.sockets[args[0]] = list
	ts.Check(each(list, func(i int) (err error) {
		list[i], err = w.openSocket(args[2])
		return err
	}))
}

// cmdSocketsEcho sends a message on each and waits for its echo:
// sockets-echo NAME
func cmdSocketsEcho(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sockets-echo NAME")
	}
	list := worldOf(ts).sockets[args[0]]
	ts.Check(each(list, func(i int) error {
		message := []byte{0x82, 4, byte(i), byte(i >> 8), 1, 2}
		if _, err := list[i].Write(message); err != nil {
			return err
		}
		echo := make([]byte, len(message))
		if _, err := io.ReadFull(list[i].in, echo); err != nil || !bytes.Equal(echo, message) {
			return fmt.Errorf("got %x, %v; want %x", echo, err, message)
		}
		return nil
	}))
}

// cmdSocketsFarewell waits until each was closed by a close frame with status
// 1001, and nothing else came: sockets-farewell NAME
func cmdSocketsFarewell(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sockets-farewell NAME")
	}
	list := worldOf(ts).sockets[args[0]]
	ts.Check(each(list, func(i int) error {
		rest, err := io.ReadAll(list[i].in)
		if want := []byte{0x88, 2, 1001 >> 8, 1001 & 0xff}; err != nil || !bytes.Equal(rest, want) {
			return fmt.Errorf("got %x, %v; want %x and the end", rest, err, want)
		}
		return list[i].Close()
	}))
}

// each does something with every socket, several at once.
func each(list []*socket, do func(i int) error) error {
	errs := make([]error, len(list))
	room := make(chan struct{}, dialsAtOnce)
	var wg sync.WaitGroup
	for i := range list {
		room <- struct{}{}
		wg.Go(func() {
			if err := do(i); err != nil {
				errs[i] = fmt.Errorf("socket %d: %w", i, err)
			}
			<-room
		})
	}
	wg.Wait()
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	return errors.Join(errs[:min(3, len(errs))]...)
}

func (w *world) openSocket(path string) (*socket, error) {
	c, err := net.Dial("unix", w.web())
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(loadBound)); err != nil {
		return nil, err
	}
	s := &socket{c, bufio.NewReaderSize(c, 256)}
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", path); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(s.in, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("got status %d, want 101", resp.StatusCode)
	}
	return s, nil
}

// closeSockets closes what the script left open.
func (w *world) closeSockets() {
	for _, list := range w.sockets {
		for _, s := range list {
			if s != nil {
				s.Close()
			}
		}
	}
}
