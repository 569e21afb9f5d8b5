package testscripts

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// An address is where a proxy listens: HOST:PORT, unix:PATH, or either with
// tls: before it, as in its --listen.
type address string

// careless clients do not know who signed the proxy's certificate.
var careless = &tls.Config{InsecureSkipVerify: true}

func (a address) secure() bool { return strings.HasPrefix(string(a), "tls:") }

// dial makes a connection, without TLS.
func (a address) dial() (net.Conn, error) {
	where := strings.TrimPrefix(string(a), "tls:")
	if path, ok := strings.CutPrefix(where, "unix:"); ok {
		return net.DialTimeout("unix", path, waitBound)
	}
	return net.DialTimeout("tcp", where, waitBound)
}

// asker returns what GETs path once each time it is called, on one connection
// if keep. leave ends it.
func (a address) asker(path string, keep bool) (ask func() error, leave func()) {
	switch {
	case a.secure() && !keep:
		return a.asker2(path)
	case keep:
		k := &kept{}
		return func() error { return a.get(path, k) }, k.close
	default:
		return func() error { return a.get(path, nil) }, func() {}
	}
}

// asker2 is asker in HTTP/2. What it sends again is only what the proxy said it
// would not answer.
func (a address) asker2(path string) (ask func() error, leave func()) {
	t := &http.Transport{
		DialContext:     func(context.Context, string, string) (net.Conn, error) { return a.dial() },
		TLSClientConfig: careless.Clone(),
		Protocols:       new(http.Protocols),
	}
	t.Protocols.SetHTTP2(true)
	c := &http.Client{Transport: t, Timeout: waitBound}
	return func() error {
		resp, err := c.Get("https://localhost" + path)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && (resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2) {
			err = fmt.Errorf("%s %d: %.200s", resp.Proto, resp.StatusCode, body)
		}
		return err
	}, t.CloseIdleConnections
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

// get makes a request in HTTP/1.1, on k unless it is nil.
func (a address) get(path string, k *kept) error {
	closing := ""
	if k == nil {
		k, closing = &kept{}, "Connection: close\r\n"
		defer k.close()
	}
	return a.send(fmt.Sprintf("GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, closing), k)
}

// send sends a request and reads its answer, on k, which it connects if need
// be and closes if it fails.
func (a address) send(request string, k *kept) error {
	if k.Conn == nil {
		nc, err := a.dial()
		if err != nil {
			return err
		}
		if a.secure() {
			nc = tls.Client(nc, careless)
		}
		k.Conn, k.in = nc, bufio.NewReader(nc)
	}
	err := k.exchange(request)
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
