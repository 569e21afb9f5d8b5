package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"passenger/lib/http1"
	"passenger/lib/http1/message"
	"passenger/lib/protocol"
)

// ErrDown says that no daemon listens on the control socket.
var ErrDown = errors.New("nothing listens there")

// A Client calls one daemon. It opens a connection a call: calls are rare, and
// a daemon may be replaced between two.
type Client struct {
	socket string
	header string
}

// connectTimeout bounds the wait for a daemon whose queue of callers is full.
const connectTimeout = 5 * time.Second

// NewClient calls the daemon at socket in the name of program.
func NewClient(socket, program, release string) *Client {
	return &Client{socket: socket, header: ProgramHeader(program, release)}
}

// Call sends in as JSON, unless it is nil, and reads the reply into out,
// unless that is nil. An error that the daemon answered is a *protocol.Error;
// a daemon that is down is [ErrDown].
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.do(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.close()
	b, err := io.ReadAll(io.LimitReader(resp, protocol.MaxBody))
	if err != nil {
		return fmt.Errorf("%s %s on %s: %w", method, path, c.socket, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s %s on %s: the reply is not the JSON expected: %w", method, path, c.socket, inWords(err))
	}
	return nil
}

// Text reads the reply to GET of a path as it is, such as Prometheus text. One
// over protocol.MaxBody is an error.
func (c *Client) Text(ctx context.Context, path string) ([]byte, error) {
	resp, err := c.do(ctx, "GET", path, nil)
	if err != nil {
		return nil, err
	}
	defer resp.close()
	b, err := io.ReadAll(io.LimitReader(resp, protocol.MaxBody+1))
	if err == nil && len(b) > protocol.MaxBody {
		err = fmt.Errorf("the reply is over %d bytes", protocol.MaxBody)
	}
	if err != nil {
		return nil, fmt.Errorf("GET %s on %s: %w", path, c.socket, err)
	}
	return b, nil
}

// Watch of a path, which may have a query, calls got with each state that the daemon tells, until got returns an
// error, ctx ends, or the daemon is silent for three times
// protocol.WatchKeepAlive or gone. It never returns nil.
func Watch[T any](ctx context.Context, c *Client, path string, got func(T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(3*protocol.WatchKeepAlive, func() {
		cancel(fmt.Errorf("watch %s on %s: silent for %v", path, c.socket, 3*protocol.WatchKeepAlive))
	})
	defer silence.Stop()
	watch := "?watch=1"
	if strings.Contains(path, "?") {
		watch = "&watch=1"
	}
	resp, err := c.do(ctx, "GET", path+watch, nil)
	if err != nil {
		return err
	}
	defer resp.close()
	lines := bufio.NewScanner(resp)
	lines.Buffer(make([]byte, 4096), protocol.MaxBody)
	for lines.Scan() {
		silence.Reset(3 * protocol.WatchKeepAlive)
		if len(lines.Bytes()) == 0 {
			continue
		}
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return fmt.Errorf("watch %s on %s: %w", path, c.socket, inWords(err))
		}
		if err := got(v); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("watch %s on %s: %w", path, c.socket, err)
	}
	return fmt.Errorf("watch %s on %s: %w", path, c.socket, io.EOF)
}

// A response is what a daemon answers, as it comes.
type response struct {
	io.Reader
	status int
	close  func()
}

func (c *Client) do(ctx context.Context, method, path string, in any) (*response, error) {
	request, err := c.request(method, path, in)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: connectTimeout}
	conn, err := d.DialContext(ctx, "unix", c.socket)
	if err != nil {
		return nil, c.unreached(ctx, err)
	}
	// The end of ctx ends all that waits on the connection.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	resp, err := exchange(conn, method, request)
	if err != nil {
		stop()
		conn.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%s %s on %s: %w", method, path, c.socket, err)
	}
	resp.close = func() {
		stop()
		conn.Close()
	}
	if resp.status >= 400 {
		defer resp.close()
		return nil, c.failure(resp)
	}
	return resp, nil
}

// request is a call as it is sent.
func (c *Client) request(method, path string, in any) ([]byte, error) {
	var body []byte
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("internal error: %w", err)
		}
		body = b
	}
	u, err := url.Parse("http://passenger" + path) // people typed the names in it
	if err != nil {
		return nil, fmt.Errorf("internal error: %w", err)
	}
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: passenger\r\nConnection: close\r\n%s: %d\r\n%s: %s\r\n",
		method, u.RequestURI(), protocol.HeaderProtocol, protocol.Version, protocol.HeaderProgram, c.header)
	if in != nil {
		b = fmt.Appendf(b, "Content-Type: application/json\r\n")
	}
	if in != nil || method != "GET" {
		b = fmt.Appendf(b, "Content-Length: %d\r\n", len(body))
	}
	return slices.Concat(b, []byte("\r\n"), body), nil
}

// exchange sends a request and reads the head of the answer to it. A daemon may
// answer without having read all; what it says then counts, and not that the
// rest could not be sent.
func exchange(conn net.Conn, method string, request []byte) (*response, error) {
	_, unsent := conn.Write(request)
	r := message.NewReader(conn)
	var head http1.Response
	for head.Status < 200 {
		if err := r.Response(&head); err != nil {
			if unsent != nil {
				return nil, unsent
			}
			return nil, err
		}
	}
	return &response{Reader: r.ResponseBody(&head, method), status: head.Status}, nil
}

// unreached says why there is no connection.
func (c *Client) unreached(ctx context.Context, err error) error {
	var errno syscall.Errno
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w", c.socket, ErrDown)
	case errors.As(err, &errno):
		return fmt.Errorf("connect to %s: %w", c.socket, errno)
	}
	return fmt.Errorf("connect to %s: %w", c.socket, err)
}

func (c *Client) failure(resp *response) error {
	var e protocol.ErrorReply
	if err := json.NewDecoder(io.LimitReader(resp, protocol.MaxBody)).Decode(&e); err != nil || e.Error == nil {
		return fmt.Errorf("%s answered status %d without saying why", c.socket, resp.status)
	}
	return e.Error
}
