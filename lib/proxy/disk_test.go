package proxy

import (
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"

	"passenger/lib/protocol"
	"passenger/lib/proxy/buffering"
	"passenger/lib/proxy/wire"
)

// However much clients do not take, the disk has no more of it than its shares,
// and whoever takes an answer in the end gets all of it.
func TestDiskForAnswersIsBounded(t *testing.T) {
	t.Parallel()
	const most = 1 << 20
	for name, limits := range map[string]buffering.Limits{"all": {All: most}, "app": {App: most}, "connection": {Connection: most}} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", name, secure), func(t *testing.T) {
				t.Parallel()
				o := newTorrent(t, protocol.ProtocolHTTP, 2*inTransit, false)
				s, addr := serveTLS(t, Config{DataBufferDir: t.TempDir(), Disk: limits}, route(o.fake))
				p := o.ask(s.client(addr, secure))
				eventually(t, "its share is spent", func() bool { return s.disk.Used() > most-wire.Large })
				if n := s.disk.Used(); n > most {
					t.Errorf("%d bytes are kept, want %d at most", n, most)
				}
				if s.inFlight(o.fake) != 1 {
					t.Error("the process does not wait for the client")
				}
				o.check(t, p)
				eventually(t, "all is given back", func() bool { return s.disk.Used() == 0 && s.inFlight(o.fake) == 0 })
			})
		}
	}
}

// A connection whose answers are not taken holds one process, not all.
func TestStreamsThatAreNotReadHoldNoFurtherProcess(t *testing.T) {
	t.Parallel()
	one, two := newTorrent(t, protocol.ProtocolHTTP, 2*inTransit, true), newTorrent(t, protocol.ProtocolHTTP, 2*inTransit, true)
	s, addr := serveTLS(t, Config{DataBufferDir: t.TempDir(), Disk: buffering.Limits{Connection: 1 << 20}}, route(one.fake, two.fake))
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: careless.Clone(), Protocols: protocols((*http.Protocols).SetHTTP2)}, Timeout: patience}
	defer c.CloseIdleConnections()
	slow, err := c.Get("https://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Body.Close()
	holds := func() int { return s.inFlight(one.fake) + s.inFlight(two.fake) }
	eventually(t, "its share is spent", func() bool { return s.disk.Used() > 1<<20-wire.Large })
	next := make(chan string)
	go func() {
		r, err := c.Get("https://" + addr + "/word")
		if err != nil {
			next <- err.Error()
			return
		}
		defer r.Body.Close()
		word, _ := io.ReadAll(r.Body)
		next <- string(word)
	}()
	eventually(t, "the next request waits", func() bool { return len(s.requests()) == 2 })
	for range 10 {
		if r := s.client(addr, true).get("/word"); r.Body != "word" {
			t.Errorf("another connection: got %+v", r)
		}
	}
	if n := holds(); n != 1 {
		t.Errorf("%d processes are held, want 1", n)
	}
	if body, err := io.ReadAll(slow.Body); err != nil || len(body) != 2*inTransit {
		t.Errorf("got %d bytes, %v", len(body), err)
	}
	if word := <-next; word != "word" {
		t.Errorf("the next request: got %q", word)
	}
}

// A body for which there is no room on disk goes to a process as it comes.
func TestBodiesBeyondTheDisksShareArePassedOn(t *testing.T) {
	t.Parallel()
	f := start(t, protocol.ProtocolHTTP, 1, func(c *call) bool { c.ok(sum(c.body())); return true })
	r := route(f)
	r.BufferUpload = nil
	s := serve(t, Config{DataBufferDir: t.TempDir(), Disk: buffering.Limits{Connection: 1 << 20}}, r)
	p := s.dial()
	for _, size := range []int{1 << 20, 1<<20 + 1, 3 << 20, 100_000} {
		body := string(pattern(size))
		got := p.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size) + body).receive("POST")
		if got.Status != http.StatusOK || got.Body != sum(body) {
			t.Errorf("%d bytes: got %+v, want %s", size, got, sum(body))
		}
	}
	// A body is let go of after the answer, not before.
	eventually(t, "nothing is left", func() bool { return s.disk.Used() == 0 })
}

// Uploads of one connection do not wait for each other when the disk has no room for
// more of them: each holds what the other would wait for.
func TestUploadsBesideEachOtherBeyondTheDisksShareArePassedOn(t *testing.T) {
	t.Parallel()
	const part = 100_000
	f := start(t, protocol.ProtocolHTTP, 0, func(c *call) bool { c.ok(sum(c.body())); return true })
	r := route(f)
	*r.BufferUpload = true
	s, addr := serveTLS(t, Config{DataBufferDir: t.TempDir(), Disk: buffering.Limits{Connection: wire.Large}}, r)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: careless.Clone(), Protocols: protocols((*http.Protocols).SetHTTP2)}, Timeout: patience}
	defer c.CloseIdleConnections()
	half, body := string(pattern(part)), string(pattern(part))+"end"
	var ends []chan bool
	answers := make(chan string)
	for n := range 2 {
		pr, pw := io.Pipe()
		end := make(chan bool, 1)
		ends = append(ends, end)
		q, err := http.NewRequest("PUT", "https://"+addr+"/", pr)
		if err != nil {
			t.Fatal(err)
		}
		q.ContentLength = int64(len(body))
		go func() {
			resp, err := c.Do(q)
			if err != nil {
				answers <- err.Error()
				return
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			answers <- string(text)
		}()
		go func() {
			io.WriteString(pw, half)
			<-end
			io.WriteString(pw, body[part:])
			pw.Close()
		}()
		if n == 0 {
			eventually(t, "the first is on disk", func() bool { return s.disk.Used() == part })
		}
	}
	eventually(t, "no more is kept", func() bool { return s.inFlight(f) == 1 })
	for _, end := range ends {
		end <- true
		if got := <-answers; got != sum(body) {
			t.Errorf("got %.80q, want %s", got, sum(body))
		}
	}
}

func sum(body string) string {
	return fmt.Sprintf("%d bytes, %08x", len(body), crc32.ChecksumIEEE([]byte(body)))
}

// What clients announce takes no room, and so holds no process.
func TestAnnouncedBodiesTakeNoDisk(t *testing.T) {
	t.Parallel()
	f := start(t, protocol.ProtocolHTTP, 1, say("yes"))
	r := route(f)
	r.BufferUpload = nil
	s := serve(t, Config{DataBufferDir: t.TempDir(), Disk: buffering.Limits{App: 4 << 20}}, r)
	for range 20 {
		s.dial().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n" + strings.Repeat("x", 100_000))
	}
	eventually(t, "what came on disk", func() bool { return s.disk.Used() == 20*100_000 })
	if got := s.dial().get("/"); got.Body != "yes" {
		t.Errorf("got %+v", got)
	}
	if n := f.requests.Load(); n != 1 {
		t.Errorf("%d requests reached the process, want 1", n)
	}
}
