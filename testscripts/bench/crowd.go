package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// crowdSettles is how long the connections are left alone before the memory
// is measured.
const crowdSettles = 8 * time.Second

// memoryOf is the memory of the programs that each connection of a crowd adds
// to the server as it was before the first, in KB, after open has made each
// what it is.
func memoryOf(open func(net.Conn) error, programs ...string) func(context.Context, *server) (float64, error) {
	return memoryOfSome(crowd, open, programs...)
}

// memoryOfSome is that of so many connections.
func memoryOfSome(crowd int, open func(net.Conn) error, programs ...string) func(context.Context, *server) (float64, error) {
	return func(ctx context.Context, s *server) (float64, error) {
		if s.empty.pss == 0 {
			s.empty = costOf(s.pids(), programs...)
		}
		conns, err := s.openCrowd(crowd, open)
		defer closeAll(conns)
		if err != nil {
			return 0, err
		}
		select {
		case <-time.After(crowdSettles):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		return float64(costOf(s.pids(), programs...).pss-s.empty.pss) / float64(crowd) / 1e3, nil
	}
}

// openCrowd opens connections. Those that it returns with an error are to be
// closed too.
func (s *server) openCrowd(count int, open func(net.Conn) error) (conns []net.Conn, err error) {
	for range count {
		c, err := net.Dial("tcp", s.url[strings.LastIndexByte(s.url, '/')+1:])
		if err != nil {
			return conns, fmt.Errorf("connection %d: %w", len(conns)+1, err)
		}
		conns = append(conns, c)
		_ = c.SetDeadline(time.Now().Add(startLimit)) // it is a socket
		if err := open(c); err != nil {
			return conns, fmt.Errorf("connection %d: %w", len(conns), err)
		}
	}
	return conns, nil
}

func closeAll(conns []net.Conn) {
	for _, c := range conns {
		c.Close()
	}
}

// idleConnection makes one request and keeps the connection.
func idleConnection(c net.Conn) error {
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return err
	}
	b := make([]byte, 4<<10)
	n, err := c.Read(b)
	if err == nil && !bytes.HasPrefix(b[:n], []byte("HTTP/1.1 200 ")) {
		err = fmt.Errorf("it answers %q", clip(string(b[:n])))
	}
	return err
}

// overTLS has a connection opened in TLS. The session ticket, which comes behind
// the handshake, is read with the answer.
func overTLS(open func(net.Conn) error) func(net.Conn) error {
	return func(c net.Conn) error {
		return open(tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}))
	}
}

// slowHead sends a part of a head and then nothing.
func slowHead(c net.Conn) error {
	_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nX-a: ")
	return err
}

// slowUpload sends a part of a body and then nothing.
func slowUpload(c net.Conn) error {
	_, err := fmt.Fprintf(c, "PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n%01000d", 0)
	return err
}

// webSocket opens one, on which nothing comes.
func webSocket(c net.Conn) error {
	_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if err != nil {
		return err
	}
	b := make([]byte, 4<<10)
	n, err := c.Read(b)
	if err == nil && !bytes.HasPrefix(b[:n], []byte("HTTP/1.1 101 ")) {
		err = fmt.Errorf("it answers %q", clip(string(b[:n])))
	}
	return err
}
