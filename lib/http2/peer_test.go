package http2

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	h2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// patience bounds every wait of a test.
const testPatience = time.Minute

// quick are times that no test meets by accident.
var quick = Config{Header: testPatience, Idle: testPatience, Write: testPatience}

// A peer is a client that speaks frames.
type peer struct {
	*h2.Framer
	t       testing.TB
	nc      net.Conn
	block   bytes.Buffer
	encoder *hpack.Encoder
	decoder *hpack.Decoder
	conn    *Conn
	done    chan struct{} // closed when Serve has returned
}

// connect serves a connection and returns its other end, on which nothing was
// said yet.
func connect(t testing.TB, config Config) *peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.SetDeadline(time.Now().Add(testPatience)); err != nil {
		t.Fatal(err)
	}
	return newPeer(t, config, nc, theirs).speak()
}

// piped is connect in memory, where synctest has time pass.
func piped(t testing.TB, config Config) *peer {
	nc, theirs := net.Pipe()
	p := newPeer(t, config, nc, theirs)
	p.conn.staff = new(crew)                       // of the same bubble
	t.Cleanup(func() { time.Sleep(3 * lookTime) }) // until it is gone
	return p.speak()
}

func newPeer(t testing.TB, config Config, nc, theirs net.Conn) *peer {
	p := &peer{t: t, nc: nc, Framer: h2.NewFramer(nc, bufio.NewReader(nc)), conn: NewConn(theirs, &config), done: make(chan struct{})}
	p.encoder = hpack.NewEncoder(&p.block)
	p.decoder = hpack.NewDecoder(tableSize, nil)
	p.AllowIllegalWrites = true
	return p
}

// speak has the other end served until the test is over.
func (p *peer) speak() *peer {
	go func() { defer close(p.done); p.conn.Serve() }()
	p.t.Cleanup(func() {
		p.nc.Close()
		select {
		case <-p.done:
		case <-time.After(testPatience):
			p.t.Error("the connection did not end")
		}
	})
	return p
}

// start is connect and what both sides say first.
func start(t testing.TB, config Config, settings ...h2.Setting) *peer {
	t.Helper()
	return connect(t, config).begin(settings...)
}

func (p *peer) begin(settings ...h2.Setting) *peer {
	p.t.Helper()
	_, err := io.WriteString(p.nc, h2.ClientPreface)
	p.must(err)
	p.must(p.WriteSettings(settings...))
	p.expect("SETTINGS(3=128 4=65535 6=65535 8=1) WINDOW_UPDATE(0 983041) SETTINGS(ack)")
	return p
}

func (p *peer) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// encode returns the block of fields like "name: value".
func (p *peer) encode(fields ...string) []byte {
	p.block.Reset()
	for _, f := range fields {
		at := strings.Index(f[1:], ":") + 1
		p.must(p.encoder.WriteField(hpack.HeaderField{Name: f[:at], Value: strings.TrimPrefix(f[at+1:], " ")}))
	}
	return p.block.Bytes()
}

func (p *peer) headers(id uint32, ended bool, fields ...string) {
	p.t.Helper()
	p.must(p.WriteHeaders(h2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode(fields...), EndStream: ended, EndHeaders: true}))
}

var plain = []string{":method: GET", ":scheme: http", ":path: /", ":authority: a.test"}

func (p *peer) get(id uint32) { p.t.Helper(); p.headers(id, true, plain...) }

// next reads a frame and describes it.
func (p *peer) next() string {
	f, err := p.ReadFrame()
	var failed *net.OpError
	switch {
	case errors.Is(err, io.EOF), errors.As(err, &failed) && !errors.Is(err, os.ErrDeadlineExceeded):
		return "closed"
	case err != nil:
		p.t.Fatalf("read a frame: %v", err)
	}
	return p.describe(f)
}

func (p *peer) describe(f h2.Frame) string {
	end := ""
	if f.Header().Flags.Has(h2.FlagDataEndStream) && f.Header().Type <= h2.FrameHeaders {
		end = " end"
	}
	switch f := f.(type) {
	case *h2.SettingsFrame:
		if f.IsAck() {
			return "SETTINGS(ack)"
		}
		var list []string
		f.ForeachSetting(func(s h2.Setting) error { list = append(list, fmt.Sprintf("%d=%d", s.ID, s.Val)); return nil })
		return "SETTINGS(" + strings.Join(list, " ") + ")"
	case *h2.HeadersFrame:
		fields, err := p.decoder.DecodeFull(f.HeaderBlockFragment())
		p.must(err)
		var list []string
		for _, hf := range fields {
			list = append(list, hf.Name+"="+hf.Value)
		}
		return fmt.Sprintf("HEADERS(%d %s%s)", f.StreamID, strings.Join(list, " "), end)
	case *h2.DataFrame:
		if len(f.Data()) > 40 {
			return fmt.Sprintf("DATA(%d [%d]%s)", f.StreamID, len(f.Data()), end)
		}
		return fmt.Sprintf("DATA(%d %s%s)", f.StreamID, f.Data(), end)
	case *h2.RSTStreamFrame:
		return fmt.Sprintf("RST_STREAM(%d %v)", f.StreamID, f.ErrCode)
	case *h2.GoAwayFrame:
		return fmt.Sprintf("GOAWAY(%d %v)", f.LastStreamID, f.ErrCode)
	case *h2.WindowUpdateFrame:
		return fmt.Sprintf("WINDOW_UPDATE(%d %d)", f.StreamID, f.Increment)
	case *h2.PingFrame:
		return fmt.Sprintf("PING(%q %v)", f.Data[:], f.IsAck())
	}
	return f.Header().Type.String()
}

// expect reads as many frames as are described in want, and compares.
func (p *peer) expect(want string) {
	p.t.Helper()
	var got []string
	for range strings.Split(strings.ReplaceAll(want, ") ", ")\x00"), "\x00") {
		got = append(got, p.next())
	}
	if g := strings.Join(got, " "); g != want {
		p.t.Errorf("got  %s\nwant %s", g, want)
	}
}

// until reads frames up to one that begins so.
func (p *peer) until(start string) string {
	p.t.Helper()
	for {
		switch f := p.next(); {
		case strings.HasPrefix(f, start):
			return f
		case f == "closed":
			p.t.Fatalf("closed before %s", start)
		}
	}
}

// answering serves each stream with a fixed text, after its whole request was
// read. Requests go to seen, if it is not nil, as text.
func answering(seen chan<- string, text string) Config {
	c := quick
	c.Serve = func(s *Stream) {
		var copied bytes.Buffer
		r, err := http.ReadRequest(bufio.NewReader(io.TeeReader(s, &copied)))
		if err == nil {
			_, err = io.Copy(io.Discard, r.Body)
		}
		if seen != nil {
			if err != nil {
				copied.WriteString("error: " + err.Error())
			}
			seen <- copied.String()
		}
		if err == nil {
			_, _ = io.WriteString(s, text) // the client sees what becomes of it
		}
	}
	return c
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
