package testscripts

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// mixture is what clients of a soak do, with its share of a hundred.
var mixture = []kind{
	{"browser", 40, (*soakClients).browse},
	{"new", 15, func(c *soakClients) error { return c.plain.get("/", nil) }},
	{"HTTP/2", 20, (*soakClients).ask2},
	{"TLS", 2, (*soakClients).greet},
	{"upload", 10, (*soakClients).upload},
	{"WebSocket", 4, (*soakClients).talk},
	{"events", 3, (*soakClients).listen},
	{"aborted", 3, func(c *soakClients) error { return c.leave("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n") }},
	{"half a head", 2, func(c *soakClients) error { return c.leave("GET / HTTP/1.1\r\nHost: loc") }},
	{"silent", 1, func(c *soakClients) error { return c.leave("") }},
}

// A kind of clients.
type kind struct {
	name  string
	share int
	do    func(*soakClients) error
}

// pick returns the kind that n, less than 100, falls to.
func pick(n int) kind {
	for _, k := range mixture {
		if n -= k.share; n < 0 {
			return k
		}
	}
	return mixture[0]
}

// soakClients share connections, as browsers and web servers in front do.
type soakClients struct {
	plain, secure address

	idle   chan *kept // connections between two requests
	again  func() error
	leave2 func()
}

// idleConns is how many connections are kept.
const idleConns = 20

func (c *soakClients) open(plain, secure address) {
	c.plain, c.secure, c.idle = plain, secure, make(chan *kept, idleConns)
	for range idleConns {
		c.idle <- &kept{}
	}
	c.again, c.leave2 = secure.asker("/", false)
}

func (c *soakClients) close() {
	c.leave2()
	for range idleConns {
		(<-c.idle).close()
	}
}

func (c *soakClients) ask2() error { return c.again() }

// browserHead is what browsers send.
const browserHead = "Host: localhost\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n" +
	"Connection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\n" +
	"Sec-Fetch-User: ?1\r\nPriority: u=0, i\r\nCookie: a=1; b=2; session=0123456789abcdef\r\nCache-Control: no-cache\r\n\r\n"

// browse makes a request on a connection that is kept.
func (c *soakClients) browse() error {
	k := <-c.idle
	defer func() { c.idle <- k }()
	return c.plain.send("GET / HTTP/1.1\r\n"+browserHead, k)
}

// greet makes a request on a new connection with TLS.
func (c *soakClients) greet() error {
	k := &kept{}
	defer k.close()
	return c.secure.get("/", k)
}

func (c *soakClients) upload() error {
	k := &kept{}
	defer k.close()
	body := strings.Repeat("x", 100<<10)
	return c.plain.send(fmt.Sprintf("POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body), k)
}

// begin sends a request and returns the head of the answer.
func (c *soakClients) begin(request string) (net.Conn, *bufio.Reader, *http.Response, error) {
	nc, err := c.plain.dial()
	if err != nil {
		return nil, nil, nil, err
	}
	in := bufio.NewReader(nc)
	err = errors.Join(nc.SetDeadline(time.Now().Add(waitBound)), write(nc, request))
	var resp *http.Response
	if err == nil {
		resp, err = http.ReadResponse(in, nil)
	}
	if err != nil {
		nc.Close()
	}
	return nc, in, resp, err
}

func write(nc net.Conn, text string) error {
	_, err := io.WriteString(nc, text)
	return err
}

// talk has an echo over a WebSocket.
func (c *soakClients) talk() error {
	nc, in, resp, err := c.begin("GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if err != nil {
		return err
	}
	defer nc.Close()
	message := []byte{0x82, 4, 1, 2, 3, 4}
	echo := make([]byte, len(message))
	if _, err := nc.Write(message); err != nil {
		return err
	}
	if _, err := io.ReadFull(in, echo); err != nil || !bytes.Equal(echo, message) {
		return fmt.Errorf("status %d, got %x, %w", resp.StatusCode, echo, err)
	}
	return nil
}

// listen reads a stream of events to its end.
func (c *soakClients) listen() error {
	nc, _, resp, err := c.begin("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if err != nil {
		return err
	}
	defer nc.Close()
	body, err := io.ReadAll(resp.Body)
	if n := bytes.Count(body, []byte("data: ")); err != nil || n != 5 {
		return fmt.Errorf("got %d events, %v", n, err)
	}
	return nil
}

// leave sends something, and goes away a moment later without an answer.
func (c *soakClients) leave(text string) error {
	nc, err := c.plain.dial()
	if err != nil {
		return err
	}
	defer nc.Close()
	defer time.Sleep(300 * time.Millisecond)
	return write(nc, text)
}
