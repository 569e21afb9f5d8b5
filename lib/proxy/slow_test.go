package proxy

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/wire"
)

// memory is what this process's heap and stacks take, without garbage.
func memory() int64 {
	runtime.GC()
	runtime.GC() // what pools hold lives for one collection more
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// holds checks what each of many clients holds that said text and is quiet since;
// with what the test itself has of its connection. No other test may run meanwhile:
// it counts what the program has. quiet says how many are.
func holds(t *testing.T, most int64, text string, process *fake, quiet func(*server) int) {
	if racing {
		t.Skip("the race detector has memory of its own")
	}
	const clients = 200
	s := serve(t, Config{idlePatience: time.Millisecond}, route(process))
	open := func(n int) {
		for range n {
			c, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			if _, err := io.WriteString(c, text); err != nil {
				t.Fatal(err)
			}
		}
	}
	open(1)
	eventually(t, "one is quiet", func() bool { return quiet(s) == 1 })
	before := memory()
	open(clients)
	eventually(t, "all are quiet", func() bool { return quiet(s) == clients+1 })
	if each := (memory() - before) / clients; each > most {
		t.Errorf("each holds %d bytes, want %d at most", each, most)
	}
}

// silent is a process at path which takes connections, says text on each, and
// reads nothing.
func silent(t *testing.T, text string) *fake {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	done := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		<-done
		for _, c := range conns {
			c.Close()
		}
	})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
			_, _ = io.WriteString(c, text) // who waits for it notices
		}
	}()
	return &fake{route: protocol.RouteProcess{ID: "p", PID: 1, Address: "unix:" + path, DataProtocol: "http"}}
}

func TestSlowUploadsHoldLittle(t *testing.T) {
	upload := "PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 3000)
	holds(t, 16<<10, upload, silent(t, ""), func(s *server) (waiting int) {
		s.clock.Each(func(c *wire.Conn) {
			if k := clientOf(c); k != nil {
				k.mu.Lock()
				defer k.mu.Unlock()
				if k.x != nil && k.x.body.upload.waits.Load() {
					waiting++
				}
			}
		})
		return waiting
	})
}

func TestQuietWebSocketsHoldLittle(t *testing.T) {
	switched := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	holds(t, 10<<10, socketHead, silent(t, switched), (*server).parked)
}

// What came of a body with the head, and what comes of the next request with the
// end of the body, is lost nowhere.
func TestUploadsInPartsArriveWhole(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s := serve(t, Config{}, route(start(t, proto, 0, func(c *call) bool {
			c.ok(c.header("X-Long") + " " + c.body())
			return true
		})))
		for _, long := range []int{0, 500, 1500, 3000, 9000} {
			body := strings.Repeat("0123456789", 5000)
			head := "PUT / HTTP/1.1\r\nHost: a.test\r\nX-Long: " + strings.Repeat("y", long) + "\r\n"
			chunked := head + "Transfer-Encoding: chunked\r\n\r\n"
			length := fmt.Sprintf("%sContent-Length: %d\r\n\r\n", head, len(body))
			for _, text := range []string{length + body, fmt.Sprintf("%s%x\r\n%s\r\n0\r\n\r\n", chunked, len(body), body)} {
				for _, cut := range []int{len(head) + 10, len(length), len(length) + 1000, len(length) + 4000, len(text)} {
					p := s.dial()
					p.send(text[:cut])
					go io.WriteString(p.Conn, text[cut:]+"GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n")
					want := strings.Repeat("y", long) + " "
					if r := p.receive("PUT"); r.Body != want+body {
						t.Fatalf("of %d bytes of head, cut at %d: status %d, %d bytes came back, want %d", len(head), cut, r.Status, len(r.Body), len(want)+len(body))
					}
					if r := p.receive("GET"); r.Body != " " {
						t.Fatalf("then %q came back", r.Body)
					}
				}
			}
		}
	})
}
