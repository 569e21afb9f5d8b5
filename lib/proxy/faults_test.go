package proxy

import (
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
)

// Rows of the fault matrix that have to do with clients; others are with what
// they try, and name their row.

// Row 37: a client that resets its connection frees its process at once,
// wherever its request is.
func TestResetsFreeTheirProcess(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		f := start(t, proto, 1, func(c *call) bool {
			switch {
			case c.Target == "/upgrade":
				c.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nx")
				io.Copy(io.Discard, c.In)
			case c.Target == "/answer":
				c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
				for err := error(nil); err == nil; {
					_, err = io.WriteString(c.Conn, "1\r\nx\r\n")
					time.Sleep(time.Millisecond) // its own pace
				}
			default:
				c.body()
			}
			return false
		})
		s := serve(t, Config{}, route(f))
		for _, text := range []string{
			"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx",
			"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
			"GET /answer HTTP/1.1\r\nHost: a\r\n\r\n",
			"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
		} {
			// A look would free it, too, but a second later. A machine may be
			// busy for as long, but not at each of so many resets.
			const tries = 20
			var took []time.Duration
			for len(took) < tries && (len(took) == 0 || took[len(took)-1] >= lookEvery/2) {
				took = append(took, resetAndWait(t, s, f, text))
			}
			if took[len(took)-1] >= lookEvery/2 {
				t.Errorf("after a reset of %.15q the process was free after %v, want less than %v once", text, took, lookEvery/2)
			}
		}
	})
}

// resetAndWait makes a request, resets its connection, and tells how long the
// process was in use after that.
func resetAndWait(t *testing.T, s *server, f *fake, text string) time.Duration {
	t.Helper()
	before := f.requests.Load()
	p := s.dial().send(text)
	eventually(t, "the request is with the app", func() bool { return f.requests.Load() > before })
	if strings.HasPrefix(text, "GET") {
		p.in.Peek(1)
	}
	p.Conn.(*net.TCPConn).SetLinger(0)
	began := time.Now()
	p.Close()
	eventually(t, "the process is free", func() bool { return s.inFlight(f) == 0 })
	return time.Since(began)
}

// Row 37: nor does anything else stay.
func TestResetsLeaveNothing(t *testing.T) {
	f := start(t, protocol.ProtocolHTTP, 0, func(c *call) bool {
		if c.Method == "GET" {
			c.ok("")
			return true
		}
		c.reply("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
		_, err := io.CopyN(c.Conn, zeros{}, 100_000_000)
		return err == nil
	})
	dir := t.TempDir()
	s := serve(t, Config{DataBufferDir: dir}, route(f))
	first := s.dial()
	first.get("/")
	first.Close()
	eventually(t, "the first client is gone", func() bool { return s.connections() == 0 })
	// All runs now that does so without clients.
	before := runtime.NumGoroutine()
	for i := range 20 {
		p := s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx")
		if i%2 == 0 {
			p.in.Peek(1)
		}
		p.Conn.(*net.TCPConn).SetLinger(0)
		p.Close()
	}
	eventually(t, "nothing is left", func() bool {
		return s.connections() == 0 && s.inFlight(f) == 0 && s.memory.Lent() == 0 && kept(t, dir) == 0 && runtime.NumGoroutine() <= before
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Row 38: a client that ended its sending side before its answer began gets the
// whole of it, however slowly it reads.
func TestHalfClosedClientsGetLongAnswers(t *testing.T) {
	t.Parallel()
	o := newTorrent(t, protocol.ProtocolHTTP, 12<<20, false)
	s := serve(t, Config{DataBufferDir: t.TempDir()}, route(o.fake))
	p := o.ask(s.dial())
	p.Conn.(*net.TCPConn).CloseWrite()
	within(t, o.left, "the app's end")
	o.check(t, p)
}

// Row 39: what comes a byte or three at a time is what comes whole.
func TestSlicedRequestsAreWhatTheyAre(t *testing.T) {
	t.Parallel()
	const text = "POST /a HTTP/1.1\r\nHost: a\r\nX-Long: value\r\nContent-Length: 7\r\n\r\nhello, " +
		"POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=\"a;b\"\r\nabc\r\n04\r\ndefg\r\n0\r\nX-Sum: 7\r\n\r\n" +
		"GET /c?d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	both(t, func(t *testing.T, proto string) {
		for _, keep := range []bool{false, true} {
			f := start(t, proto, 1, func(c *call) bool { c.ok(c.Target + " " + c.header("X-Long") + " " + c.body()); return true })
			r := route(f)
			r.BufferUpload = &keep
			s := serve(t, Config{DataBufferDir: t.TempDir()}, r)
			var all [3]string
			for i, size := range []int{len(text), 3, 1} {
				p := s.dial()
				for rest := text; rest != ""; {
					n := min(size, len(rest))
					p.send(rest[:n])
					rest = rest[n:]
				}
				for _, method := range []string{"POST", "POST", "GET"} {
					r := p.receive(method)
					all[i] += r.Body + "\n"
				}
				p.closed()
			}
			const want = "/a value hello, \n/b  abcdefg\n/c?d  \n"
			if all != [3]string{want, want, want} {
				t.Errorf("kept %v: got %q, want %q each", keep, all, want)
			}
		}
	})
}
