package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// errClosed is the end of a WebSocket that was closed in order.
var errClosed = errors.New("closed with status 1001")

// hold keeps a WebSocket open, and opens another when it was closed in order.
func (l *load) hold(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		err := l.websocket(ctx)
		switch {
		case errors.Is(err, errClosed):
			l.closed.Add(1)
		case ctx.Err() == nil:
			l.fail("websocket", began, err)
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// websocket opens one, and reads frames until one says close.
func (l *load) websocket(ctx context.Context) error {
	u, err := url.Parse(l.url)
	if err != nil {
		return err
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "80")
	}
	c, err := net.DialTimeout("tcp", address, 30*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	end := context.AfterFunc(ctx, func() { c.Close() })
	defer end()
	fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", u.Host)
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("status %s", resp.Status)
	}
	l.opened.Add(1)
	if l.talk > 0 {
		talking, stop := context.WithCancel(ctx)
		defer stop()
		l.clients.Go(func() { l.say(talking, c) })
	}
	return l.listen(r)
}

// say sends messages: what becomes of the connection, listen sees.
func (l *load) say(ctx context.Context, c net.Conn) {
	tick := time.NewTicker(l.talk)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if _, err := c.Write([]byte("\x81\x82\x00\x00\x00\x00hi")); err != nil { // a text frame, masked with nothing
			return
		}
		l.made.Add(1)
	}
}

// listen counts the echoes of messages, until a frame says close, with status 1001.
func (l *load) listen(r io.Reader) error {
	for {
		head := make([]byte, 2)
		if _, err := io.ReadFull(r, head); err != nil {
			return fmt.Errorf("ended without a close frame: %w", err)
		}
		payload := make([]byte, head[1]&0x7f) // the app sends short frames only
		if _, err := io.ReadFull(r, payload); err != nil {
			return err
		}
		switch {
		case head[0]&0xf != 8:
			l.done.Add(1)
		case len(payload) < 2 || payload[0] != 3 || payload[1] != 0xe9:
			return fmt.Errorf("close frame %x, want status 1001", payload)
		default:
			return errClosed
		}
	}
}
