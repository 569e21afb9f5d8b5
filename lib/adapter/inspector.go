package adapter

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"passenger/lib/http1"
	"passenger/lib/http1/message"
)

// inspectorLine is what Node.js writes to stderr when SIGUSR1 has made it open
// its inspector. The path is a secret that it writes nowhere else.
var inspectorLine = regexp.MustCompile(`(?m)^Debugger listening on (ws://127\.0\.0\.1:(\d{1,5})/[0-9a-f-]+)\r?$`)

// InspectorURL finds in what a process wrote to stderr, whole lines, where its
// inspector listens, and the port of that. See DumpInspector. The app may have
// written it.
func InspectorURL(stderr []byte) (address string, port int, ok bool) {
	m := inspectorLine.FindSubmatch(stderr)
	if m == nil {
		return "", 0, false
	}
	port, err := strconv.Atoi(string(m[2]))
	return string(m[1]), port, err == nil
}

// whatNodeDoes is evaluated in between two instructions of what runs. So the
// stack below it is that of the app, or it is empty.
const whatNodeDoes = `(() => {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 100;
  try {
    const stack = new Error().stack;
    const waits = typeof process.getActiveResourcesInfo === 'function' ? process.getActiveResourcesInfo() : [];
    return JSON.stringify({ stack, waits });
  } finally { Error.stackTraceLimit = limit; }
})()`

// closeInspector is evaluated last, so that no other program finds the inspector.
// There is no answer to it but the end of the connection.
const closeInspector = `process._debugEnd()`

// InspectorStack asks a Node.js process what its main thread is doing, also
// one that is in an endless loop: the lines of its stack, or what it waits
// for. It closes the inspector, and takes no longer than ctx.
func InspectorStack(ctx context.Context, address string) (string, error) {
	text, err := evaluate(ctx, address, whatNodeDoes, closeInspector)
	if err != nil {
		return "", fmt.Errorf("ask the inspector of Node.js: %w", err)
	}
	var does struct {
		Stack string
		Waits []string
	}
	if err := json.Unmarshal([]byte(text), &does); err != nil {
		return "", fmt.Errorf("answer of the inspector of Node.js: %w", err)
	}
	if stack := appFrames(does.Stack); stack != "" {
		return "main thread:\n" + stack, nil
	}
	if len(does.Waits) == 0 {
		return "main thread: idle, and waits for nothing\n", nil
	}
	return "main thread: idle, waits for " + strings.Join(does.Waits, ", ") + "\n", nil
}

// appFrames returns the lines of a stack below those of our own expression;
// none if all are Node.js's own, which turns between two calls of the app.
func appFrames(stack string) string {
	var b strings.Builder
	own := true
	for _, line := range strings.Split(stack, "\n") {
		if strings.HasPrefix(line, "    at ") && !strings.Contains(line, "<anonymous>:") {
			b.WriteString(line + "\n")
			own = own && (strings.Contains(line, "(node:") || strings.HasPrefix(line, "    at node:"))
		}
	}
	if own {
		return ""
	}
	return b.String()
}

// evaluate returns the string that a JavaScript expression evaluates to. Then it
// evaluates last, which ends the connection.
func evaluate(ctx context.Context, address, expression, last string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	r, err := upgrade(conn, io.LimitReader(conn, maxTalk), u)
	if err != nil {
		return "", err
	}
	if err := post(conn, 1, expression); err != nil {
		return "", err
	}
	text, err := answerTo(r, 1)
	if err != nil {
		return "", err
	}
	if err := post(conn, 2, last); err == nil {
		_, _ = answerTo(r, 2) // it is the end of the connection, or of ctx; the stack is there
	}
	return text, nil
}

// post has an expression evaluated.
func post(conn net.Conn, id int, expression string) error {
	call, err := json.Marshal(map[string]any{
		"id": id, "method": "Runtime.evaluate", "params": map[string]any{"expression": expression, "returnByValue": true},
	})
	if err != nil {
		return err
	}
	_, err = conn.Write(textFrame(call))
	return err
}

// answerTo reads up to the answer to a post, and returns its string.
func answerTo(r io.Reader, id int) (string, error) {
	for {
		message, err := readFrame(r)
		if err != nil {
			return "", err
		}
		var reply struct {
			ID     int
			Result struct{ Result struct{ Value string } }
		}
		if err := json.Unmarshal(message, &reply); err != nil {
			return "", err
		}
		if reply.ID == id {
			return reply.Result.Result.Value, nil
		}
	}
}

// upgrade makes conn, read by from, a WebSocket and returns its reading side.
func upgrade(conn net.Conn, from io.Reader, u *url.URL) (io.Reader, error) {
	const key = "cGFzc2VuZ2VyLXNwYXduLg==" // 16 bytes; it proves nothing here
	_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", u.Path, u.Host, key)
	if err != nil {
		return nil, err
	}
	r := message.NewReader(from)
	var head http1.Response
	if err := r.Response(&head); err != nil {
		return nil, err
	}
	if head.Status != 101 {
		return nil, fmt.Errorf("got status %d %s, want a WebSocket", head.Status, head.Reason)
	}
	return r, nil
}

// textFrame returns data as a client's WebSocket message. The mask that the
// protocol asks for is zero.
func textFrame(data []byte) []byte {
	frame := []byte{0x81, 0x80 | 126}
	frame = binary.BigEndian.AppendUint16(frame, uint16(len(data)))
	frame = append(frame, 0, 0, 0, 0)
	return append(frame, data...)
}

const (
	// maxFrame is far above the answer to our one expression.
	maxFrame = 1 << 20

	// maxTalk bounds all that is read of an inspector, head of the answer and
	// events included. The app may be at its place.
	maxTalk = 2 * maxFrame
)

// readFrame returns the content of the next WebSocket frame of a server.
func readFrame(r io.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	length := uint64(head[1] & 0x7f)
	if length >= 126 {
		size := 2
		if length == 127 {
			size = 8
		}
		var long [8]byte
		if _, err := io.ReadFull(r, long[8-size:]); err != nil {
			return nil, err
		}
		length = binary.BigEndian.Uint64(long[:])
	}
	if length > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes", length)
	}
	if head[0]&0x0f == 8 {
		return nil, errors.New("the connection was closed")
	}
	data := make([]byte, length)
	_, err := io.ReadFull(r, data)
	return data, err
}
