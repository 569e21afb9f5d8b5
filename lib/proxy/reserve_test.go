package proxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http/httputil"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/wire"
)

// A torrent is an app that answers "/" with a body at once, and all else with
// a word.
type torrent struct {
	*fake
	body  []byte
	wrote atomic.Int64 // bytes of bodies that it got rid of
	left  chan error   // how each writing of a body ended
}

// inTransit is more than the systems on both sides hold of a connection.
const inTransit = 24 << 20

func newTorrent(t *testing.T, proto string, size int, chunked bool) *torrent {
	o := &torrent{body: pattern(size), left: make(chan error, 10)}
	o.fake = start(t, proto, 1, func(c *call) bool {
		if c.Target != "/" {
			c.ok("word")
			return true
		}
		var w io.Writer = c.Conn
		if chunked {
			c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			w = httputil.NewChunkedWriter(c.Conn)
		} else {
			c.reply("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
		}
		var err error
		for p := o.body; len(p) > 0 && err == nil; {
			var n int
			n, err = w.Write(p[:min(len(p), 100_003)])
			o.wrote.Add(int64(n))
			p = p[n:]
		}
		if chunked && err == nil {
			_, err = io.WriteString(c.Conn, "0\r\n\r\n")
		}
		o.left <- err
		return err == nil
	})
	return o
}

// ask sends a request for the body, and reads nothing.
func (o *torrent) ask(p *peer) *peer { return p.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }

// check reads the body.
func (o *torrent) check(t *testing.T, p *peer) {
	t.Helper()
	if r := p.receive("GET"); r.Err != nil || digest([]byte(r.Body)) != digest(o.body) {
		t.Errorf("got %d bytes of %d, %v", len(r.Body), len(o.body), r.Err)
	}
}

// client is a connection, over TLS if secure.
func (s *server) client(addr string, secure bool) *peer {
	s.t.Helper()
	if !secure {
		return s.dial()
	}
	p := dialPeer(s.t, "tcp", addr)
	p.Conn = tls.Client(p.Conn, careless)
	p.in.Reset(p.Conn)
	return p
}

// kept counts this process's files in dir that have no name.
func kept(t *testing.T, dir string) (n int) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, dir+"/") {
			n++
		}
	}
	return n
}

func TestSlowReadersHoldNoProcess(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		for _, chunked := range []bool{false, true} {
			for _, secure := range []bool{false, true} {
				t.Run(fmt.Sprintf("chunked %v, TLS %v", chunked, secure), func(t *testing.T) {
					t.Parallel()
					o := newTorrent(t, proto, 2*inTransit, chunked)
					dir := t.TempDir()
					s, addr := serveTLS(t, Config{DataBufferDir: dir}, route(o.fake))
					p := o.ask(s.client(addr, secure))
					if r := s.dial().get("/word"); r.Body != "word" {
						t.Errorf("another client got %+v", r)
					}
					eventually(t, "a file for what is not taken", func() bool { return kept(t, dir) == 1 })
					o.check(t, p)
					if r := p.get("/word"); r.Body != "word" {
						t.Errorf("on the same connection: got %+v", r)
					}
					if n := kept(t, dir); n > 0 {
						t.Errorf("got %d files left behind", n)
					}
				})
			}
		}
	})
}

// settled waits until a count has reached least and stands still for a while.
func settled(t *testing.T, n *atomic.Int64, least int64) int64 {
	t.Helper()
	last, since := n.Load(), time.Now()
	eventually(t, "a standstill", func() bool {
		if v := n.Load(); v != last || v < least {
			last, since = v, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	})
	return last
}

func TestKeepingEndsAtTheHighWaterMark(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		set         func(*protocol.Route, *Config)
		least, most int64
		unkept      bool
	}{
		{"mark", func(r *protocol.Route, _ *Config) { r.ResponseHighWater = 24 << 20 }, 24 << 20, 24<<20 + inTransit, false},
		{"mark in memory", func(r *protocol.Route, _ *Config) { r.ResponseHighWater = wire.Large }, wire.Large, wire.Large + inTransit, false},
		{"streaming", func(r *protocol.Route, _ *Config) { r.BufferResponse = new(false) }, 1, inTransit, false},
		{"no disk", func(_ *protocol.Route, c *Config) { c.DataBufferDir += "/gone" }, wire.Large, wire.Large + inTransit, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newTorrent(t, protocol.ProtocolHTTP, 3*inTransit, false)
			r, config := route(o.fake), Config{DataBufferDir: t.TempDir()}
			c.set(&r, &config)
			s := serve(t, config, r)
			p := o.ask(s.dial())
			if n := settled(t, &o.wrote, c.least); n > c.most {
				t.Errorf("the app got rid of %d bytes, want %d to %d", n, c.least, c.most)
			}
			if s.inFlight(o.fake) != 1 {
				t.Error("the process is free although it is not done")
			}
			o.check(t, p)
			// A client that catches up may leave the disk several chances.
			if n := s.unkept.Load(); (n > 0) != c.unkept {
				t.Errorf("counted %d times that the disk did not take it, want some: %v", n, c.unkept)
			}
		})
	}
}

// Of an answer that breaks off, the client gets what there is.
func TestWhatIsKeptOfATruncatedAnswerArrives(t *testing.T) {
	t.Parallel()
	body := pattern(2 * inTransit)
	f := start(t, protocol.ProtocolHTTP, 1, func(c *call) bool {
		c.reply("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body)+1)
		c.Conn.Write(body)
		return false
	})
	s := serve(t, Config{DataBufferDir: t.TempDir()}, route(f))
	p := s.dial().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "the process is free", func() bool { return f.requests.Load() == 1 && s.inFlight(f) == 0 })
	if r := p.receive("GET"); r.Err != io.ErrUnexpectedEOF || !bytes.Equal([]byte(r.Body), body) {
		t.Errorf("got %d bytes, %v", len(r.Body), r.Err)
	}
}

func TestClientsThatLeaveTakeTheirReserveWithThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		size int
	}{{"while the app writes", 5 * inTransit}, {"after it is done", 2 * inTransit}} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", c.name, secure), func(t *testing.T) {
				t.Parallel()
				o := newTorrent(t, protocol.ProtocolHTTP, c.size, false)
				dir := t.TempDir()
				r := route(o.fake)
				r.ResponseHighWater = 2 * inTransit
				s, addr := serveTLS(t, Config{DataBufferDir: dir}, r)
				p := o.ask(s.client(addr, secure))
				settled(t, &o.wrote, 2*inTransit)
				if kept(t, dir) != 1 {
					t.Error("nothing is kept")
				}
				p.Close()
				if err := within(t, o.left, "the app's end"); (err != nil) != (c.size > 3*inTransit) {
					t.Errorf("the app's writing ended with %v", err)
				}
				eventually(t, "nothing is left", func() bool { return kept(t, dir) == 0 && s.inFlight(o.fake) == 0 && s.connections() == 0 })
			})
		}
	}
}

// An answer that is kept still has to be taken in time.
func TestClientsThatTakeNothingOfAReserveAreCutOff(t *testing.T) {
	t.Parallel()
	o := newTorrent(t, protocol.ProtocolHTTP, 2*inTransit, false)
	dir := t.TempDir()
	c := short(func(t *Timeouts) { t.Write = brief })
	c.DataBufferDir = dir
	s := serve(t, c, route(o.fake))
	o.ask(s.dial())
	within(t, o.left, "the app's end")
	eventually(t, "nothing is left", func() bool { return kept(t, dir) == 0 && s.connections() == 0 })
}

func TestRingFilesKeepOrderAndSize(t *testing.T) {
	t.Parallel()
	const size = 1000
	r, err := files.NewRing(t.TempDir(), size)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want := pattern(100_000)
	var got []byte
	p := make([]byte, 331)
	for in := want; len(got) < len(want); {
		for _, n := range []int{700, 300, 500} {
			m, err := r.Write(in[:min(n, len(in))])
			r.Commit(m)
			if in = in[m:]; err != nil || r.Length() > size {
				t.Fatalf("write: %v, %d bytes kept", err, r.Length())
			}
		}
		for range 3 {
			if r.Length() == 0 {
				break
			}
			n, err := r.Read(p)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, p[:n]...)
		}
	}
	if !bytes.Equal(got, want) {
		t.Error("what was read is not what was written")
	}
	if info, err := r.File.Stat(); err != nil || info.Size() > size {
		t.Errorf("the file has %v bytes, %v", info.Size(), err)
	}
}
