package http2

import (
	"io"
	"strings"
	"testing"
	"time"

	h2 "golang.org/x/net/http2"
)

var post = []string{":method: POST", ":scheme: http", ":path: /", ":authority: a.test"}

// RFC 9113, 4.3.1: a client that makes its table smaller is told at the head of
// the next block that ours is; nghttp2, which is in curl and Node, insists.
func TestASmallerTableIsAcknowledged(t *testing.T) {
	t.Parallel()
	for _, size := range []uint32{0, 100, 4096, 65536} {
		p := start(t, answering(nil, ok), h2.Setting{ID: h2.SettingHeaderTableSize, Val: size})
		for i, want := range []string{" \x88", "\x88"} {
			p.get(uint32(2*i + 1))
			f, err := p.ReadFrame()
			p.must(err)
			head, is := f.(*h2.HeadersFrame)
			if !is {
				t.Fatalf("size %d: got %v", size, f)
			}
			if size >= tableSize {
				want = "\x88"
			}
			if got := string(head.HeaderBlockFragment()); !strings.HasPrefix(got, want) {
				t.Errorf("size %d, answer %d: the block is %q", size, i, got)
			}
			p.until("DATA")
		}
	}
}

// RFC 9113, 6.8: what a client sent of requests before it saw the last GOAWAY
// is dropped, and costs the others nothing.
func TestRequestsTooLateForADrainAreDropped(t *testing.T) {
	t.Parallel()
	answer := make(chan bool)
	c := quick
	c.Serve = func(s *Stream) {
		<-answer
		_, _ = io.WriteString(s, ok)
	}
	p := start(t, c)
	p.get(1)
	p.conn.Shutdown()
	p.expect(`GOAWAY(2147483647 NO_ERROR) PING("draining" false)`)
	p.must(p.WritePing(true, drainPing))
	p.expect("GOAWAY(1 NO_ERROR)")
	p.headers(3, false, post...)
	p.must(p.WriteWindowUpdate(3, 1))
	p.must(p.WriteData(3, false, []byte("late")))
	p.headers(3, true, "x-sum: 7")
	p.headers(5, false, post...)
	p.must(p.WriteRSTStream(5, h2.ErrCodeCancel))
	p.must(p.WritePing(false, [8]byte{}))
	p.expect(`PING("\x00\x00\x00\x00\x00\x00\x00\x00" true)`)
	close(answer)
	p.expect("HEADERS(1 :status=200 content-length=2) DATA(1 ok end) GOAWAY(1 NO_ERROR)")
	if got := p.next(); got != "closed" {
		t.Errorf("got %s", got)
	}
}

// As many uploads as a client may have open can be answered early, and what was
// on its way of each is nobody's fault.
func TestEarlyAnswersToAllStreams(t *testing.T) {
	t.Parallel()
	c := quick
	c.Serve = func(s *Stream) { _, _ = io.WriteString(s, ok) }
	p := start(t, c)
	for i := range MaxStreams {
		p.headers(uint32(2*i+1), false, post...)
		p.until("RST_STREAM")
	}
	for range 2 {
		for i := range MaxStreams {
			p.must(p.WriteData(uint32(2*i+1), false, []byte("late")))
		}
	}
	for i := range MaxStreams {
		p.headers(uint32(2*i+1), true, "x-sum: 7")
	}
	p.must(p.WritePing(false, [8]byte{}))
	p.expect(`PING("\x00\x00\x00\x00\x00\x00\x00\x00" true)`)
}

// CVE-2019-9511: a client that has us send byte by byte is served, but so slowly
// that it costs no more than others.
func TestAWindowOfOneByteIsServedSlowly(t *testing.T) {
	t.Parallel()
	const size = 500
	text := "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + strings.Repeat("x", size)
	p := start(t, answering(nil, text), h2.Setting{ID: h2.SettingInitialWindowSize, Val: 1})
	began := time.Now()
	p.get(1)
	for got := 0; got < size; {
		f := p.next()
		switch {
		case strings.HasPrefix(f, "DATA"):
			got++
			p.must(p.WriteWindowUpdate(1, 1))
			p.must(p.WriteWindowUpdate(0, 1))
		case strings.HasPrefix(f, "GOAWAY"), strings.HasPrefix(f, "RST_STREAM"):
			t.Fatalf("got %s after %d bytes", f, got)
		}
	}
	if took := time.Since(began); took < (size-2)*tinyEvery {
		t.Errorf("%d frames of a byte in %v", size, took)
	}
}

// RFC 9113, 6.2 and 4.2: a head whose frame is not whole leaves the table of
// fields unknown, so it is an error of the connection.
func TestBrokenHeadFramesEndTheConnection(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		flags   h2.Flags
		payload string
		code    string
	}{
		"padding longer than the frame": {h2.FlagHeadersPadded, "\x09\x82", "PROTOCOL_ERROR"},
		"no room for the padding":       {h2.FlagHeadersPadded, "", "FRAME_SIZE_ERROR"},
		"no room for the priority":      {h2.FlagHeadersPriority, "\x00\x00", "FRAME_SIZE_ERROR"},
	} {
		p := start(t, answering(nil, ok))
		p.must(p.WriteRawFrame(h2.FrameHeaders, test.flags|h2.FlagHeadersEndHeaders, 1, []byte(test.payload)))
		if got, want := p.next(), "GOAWAY(0 "+test.code+")"; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// Uploads that nobody reads do not keep another from coming.
func TestUnreadUploadsStallNoOther(t *testing.T) {
	t.Parallel()
	c := quick
	answer := answering(nil, ok).Serve
	c.Serve = func(s *Stream) {
		if s.id < 20 {
			s.conn.mu.Lock()
			defer s.conn.mu.Unlock()
			for s.failed == nil {
				s.wake.Wait() // and read nothing
			}
			return
		}
		answer(s)
	}
	p := start(t, c)
	left := connWindow
	for id := uint32(1); id < 20; id += 2 {
		p.headers(id, false, post...)
		for n := streamWindow; n > 0 && left > 0; {
			m := min(n, maxFrame, left)
			p.must(p.WriteData(id, false, make([]byte, m)))
			n, left = n-m, left-m
		}
	}
	if left < maxFrame {
		t.Fatalf("ten unread uploads leave a window of %d bytes", left)
	}
	p.headers(21, false, post...)
	p.must(p.WriteData(21, true, make([]byte, maxFrame)))
	p.expect("HEADERS(21 :status=200 content-length=2) DATA(21 ok end)")
}

// A stream's window grows as its body is read, so that long bodies come fast.
func TestWindowsGrowAsBodiesAreRead(t *testing.T) {
	t.Parallel()
	f := inflow{size: streamWindow, left: streamWindow, most: mostWindow}
	for range 100 * mostWindow / 1000 {
		if !f.take(1000) {
			t.Fatal("what was granted is refused")
		}
		f.give(1000)
	}
	if f.size != mostWindow || f.left+f.owed != mostWindow {
		t.Errorf("it ends at %d bytes, and %d are allowed", f.size, f.left+f.owed)
	}
	f = inflow{size: streamWindow, left: streamWindow, most: mostWindow}
	f.take(streamWindow)
	f.give(streamWindow - 1)
	if f.size != streamWindow {
		t.Error("it grows before a whole window was read")
	}
}

// A stream that waits holds no memory for what it received before.
func TestReadBodiesAreFreed(t *testing.T) {
	t.Parallel()
	var r request
	s := &Stream{received: inflow{size: streamWindow, left: streamWindow}}
	r.length = -1
	if err := r.add(s, maxFrame, make([]byte, maxFrame)); err != nil {
		t.Fatal(err)
	}
	if n, used := r.read(make([]byte, 2*maxFrame)); n != maxFrame || used != maxFrame {
		t.Fatalf("read %d, %d", n, used)
	}
	if r.body != nil {
		t.Error("the buffer is still held")
	}
}
