// Package probe makes requests of the pool's own to application processes,
// over their own address, so that no proxy need know them.
package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"passenger/lib/farend"
	"passenger/lib/http1"
	"passenger/lib/http1/message"
	"passenger/lib/protocol"
)

const (
	// mostBody is how much of an answer is read, so that the app is not cut
	// off in the midst of an ordinary page.
	mostBody = 1 << 20

	// mostHeads is how much the heads of an answer may be, interim ones among
	// them.
	mostHeads = 256 << 10

	// keptBody is how much of it is told.
	keptBody = 2 << 10
)

// A Request is a GET of Target, a path with its query, below BaseURI.
type Request struct {
	Host    string
	Target  string
	BaseURI string // "/" or a path

	work bool // it is no request, but time to work out of band
}

// Work tells a process that it has time without requests now, and waits until
// it used it. Only our Rack adapter knows that.
func Work(ctx context.Context, p protocol.Process) error {
	if p.Type != protocol.TypeRack {
		return fmt.Errorf("an app of type %q cannot be told to work out of band", p.Type)
	}
	a, err := Get(ctx, p, Request{Host: "localhost", Target: "/", BaseURI: "/", work: true})
	if err == nil && a.Code != 200 {
		err = fmt.Errorf("it answered %s", a.Status)
	}
	return err
}

// An Answer is what a process said.
type Answer struct {
	Status string // as "503 Service Unavailable"
	Code   int
	Body   string // its first bytes
}

// Get makes one request on a connection of its own.
func Get(ctx context.Context, p protocol.Process, r Request) (Answer, error) {
	network, address, ok := strings.Cut(p.Address, ":")
	if !ok {
		return Answer{}, fmt.Errorf("process %s has the address %q", p.ID, p.Address)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return Answer{}, err
	}
	defer conn.Close()
	if p.UID != nil {
		// It must not be another user's that took the port of one that ended.
		if err := farend.Check(conn, *p.UID); err != nil && !errors.Is(err, farend.ErrUnknown) {
			return Answer{}, err
		}
	}
	// The end of ctx ends all that waits on the connection.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	a, err := r.exchange(conn, p.DataProtocol)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return a, err
}

func (r Request) exchange(conn net.Conn, dataProtocol string) (Answer, error) {
	sent := r.http()
	if dataProtocol == protocol.ProtocolSession {
		sent = r.session()
	}
	if _, err := conn.Write(sent); err != nil {
		return Answer{}, err
	}
	// Both protocols answer in HTTP/1.1.
	from := message.NewReader(io.LimitReader(conn, mostHeads+mostBody))
	var head http1.Response
	for head.Status < 200 {
		if err := from.Response(&head); err != nil {
			return Answer{}, err
		}
	}
	body, err := io.ReadAll(io.LimitReader(from.ResponseBody(&head, "GET"), mostBody))
	status := strings.TrimSpace(fmt.Sprintf("%d %s", head.Status, head.Reason))
	return Answer{Status: status, Code: head.Status, Body: string(body[:min(len(body), keptBody)])}, err
}

// agent is who the app is told to be asked by.
const agent = "passenger-pool"

func (r Request) http() []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: */*\r\nConnection: close\r\n\r\n", r.Target, r.Host, agent)
}

func (r Request) session() []byte {
	path, query, _ := strings.Cut(r.Target, "?")
	script := strings.TrimSuffix(r.BaseURI, "/")
	b := http1.BeginBlock(nil)
	for _, pair := range [][2]string{
		{"CONTENT_LENGTH", "0"}, {"SCGI", "1"}, {"REQUEST_METHOD", "GET"}, {"REQUEST_URI", r.Target},
		{"SCRIPT_NAME", script}, {"PATH_INFO", strings.TrimPrefix(path, script)}, {"QUERY_STRING", query},
		{"SERVER_NAME", r.Host}, {"SERVER_PORT", "80"}, {"SERVER_PROTOCOL", "HTTP/1.1"}, {"SERVER_SOFTWARE", "passenger"},
		{"REMOTE_ADDR", "127.0.0.1"}, {"REMOTE_PORT", "0"},
		{"HTTP_HOST", r.Host}, {"HTTP_USER_AGENT", agent}, {"HTTP_ACCEPT", "*/*"},
	} {
		b = http1.AppendPair(b, pair[0], pair[1])
	}
	if r.work {
		b = http1.AppendPair(b, protocol.VariableWork, protocol.WorkDue)
	}
	return http1.FinishBlock(b)
}
