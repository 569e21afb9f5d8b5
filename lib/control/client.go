package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"passenger/lib/protocol"
)

// ErrDown says that no daemon listens on the control socket.
var ErrDown = errors.New("nothing listens there")

// A Client calls one daemon. It opens a connection a call: calls are rare, and
// a daemon may be replaced between two.
type Client struct {
	socket string
	http   *http.Client
	header string
}

// NewClient calls the daemon at socket in the name of program.
func NewClient(socket, program, release string) *Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &Client{
		socket: socket,
		header: ProgramHeader(program, release),
		http: &http.Client{Transport: &http.Transport{
			DisableKeepAlives:  true,
			DisableCompression: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "unix", socket)
			},
		}},
	}
}

// Call sends in as JSON, unless it is nil, and reads the reply into out,
// unless that is nil. An error that the daemon answered is a *protocol.Error;
// a daemon that is down is [ErrDown].
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.do(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, protocol.MaxBody))
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
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, protocol.MaxBody+1))
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
	resp, err := c.do(ctx, http.MethodGet, path+watch, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
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

func (c *Client) do(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("internal error: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://passenger"+path, body)
	if err != nil {
		return nil, fmt.Errorf("internal error: %w", err)
	}
	req.Header.Set(protocol.HeaderProtocol, strconv.Itoa(protocol.Version))
	req.Header.Set(protocol.HeaderProgram, c.header)
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", c.socket, ErrDown)
		}
		var dial *net.OpError
		var errno syscall.Errno
		if errors.As(err, &dial) && dial.Op == "dial" && errors.As(dial, &errno) {
			return nil, fmt.Errorf("connect to %s: %w", c.socket, errno)
		}
		return nil, fmt.Errorf("%s %s on %s: %w", method, path, c.socket, errors.Unwrap(err))
	}
	if resp.StatusCode >= 400 {
		defer resp.Body.Close()
		return nil, c.failure(resp)
	}
	return resp, nil
}

func (c *Client) failure(resp *http.Response) error {
	var e protocol.ErrorReply
	if err := json.NewDecoder(io.LimitReader(resp.Body, protocol.MaxBody)).Decode(&e); err != nil || e.Error == nil {
		return fmt.Errorf("%s answered status %d without saying why", c.socket, resp.StatusCode)
	}
	return e.Error
}
