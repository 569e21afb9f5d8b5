package http2

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	h2 "golang.org/x/net/http2"
)

var responses = map[string]struct{ text, frames string }{
	"sized":      {ok, "HEADERS(1 :status=200 content-length=2) DATA(1 ok end)"},
	"empty":      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HEADERS(1 :status=200 content-length=0 end)"},
	"other":      {"HTTP/1.1 418 No\r\nContent-Length: 1\r\nServer: x\r\nX-Very-Long-Name-Of-A-Field-That-Nobody-Has: Y\r\n\r\nz", "HEADERS(1 :status=418 content-length=1 server=x x-very-long-name-of-a-field-that-nobody-has=Y) DATA(1 z end)"},
	"chunked":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "HEADERS(1 :status=200) DATA(1 he) DATA(1 llo end)"},
	"no chunk":   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HEADERS(1 :status=200) DATA(1  end)"},
	"trailer":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n0\r\nX-Sum:  7\r\n\r\n", "HEADERS(1 :status=200) DATA(1 he) HEADERS(1 x-sum=7 end)"},
	"until end":  {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", "HEADERS(1 :status=200) DATA(1 hello) DATA(1  end)"},
	"nothing":    {"HTTP/1.1 204 No Content\r\n\r\n", "HEADERS(1 :status=204 end)"},
	"unchanged":  {"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", "HEADERS(1 :status=304 etag=x end)"},
	"hints":      {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok, "HEADERS(1 :status=103 link=</a>) HEADERS(1 :status=200 content-length=2) DATA(1 ok end)"},
	"hops":       {"HTTP/1.1 200 OK\r\nConnection: close\r\nKeep-Alive: x\r\nUpgrade: y\r\nContent-Length: 0\r\n\r\n", "HEADERS(1 :status=200 content-length=0 end)"},
	"cut off":    {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "HEADERS(1 :status=200 content-length=9) DATA(1 hello) RST_STREAM(1 INTERNAL_ERROR)"},
	"half chunk": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello", "HEADERS(1 :status=200) DATA(1 hello) RST_STREAM(1 INTERNAL_ERROR)"},
	"no answer":  {"", "RST_STREAM(1 INTERNAL_ERROR)"},
	"surplus":    {ok + "more", "HEADERS(1 :status=200 content-length=2) DATA(1 ok end)"},
	"switched":   {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "RST_STREAM(1 INTERNAL_ERROR)"},
}

func TestAnswersBecomeFrames(t *testing.T) {
	t.Parallel()
	for name, test := range responses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, answering(nil, test.text))
			p.get(1)
			p.expect(test.frames)
		})
	}
}

// However an answer is cut into writes, the same arrives.
func TestAnswersInPieces(t *testing.T) {
	t.Parallel()
	for name, test := range responses {
		c := quick
		c.Serve = func(s *Stream) {
			for i := range len(test.text) {
				if _, err := s.Write([]byte{test.text[i]}); err != nil {
					return
				}
			}
		}
		p := start(t, c)
		p.get(1)
		var got, want strings.Builder
		for _, f := range strings.Split(strings.ReplaceAll(test.frames, ") ", ")\x00"), "\x00") {
			fold(&want, f)
		}
		for !strings.HasSuffix(got.String(), "$") {
			fold(&got, p.next())
		}
		if got.String() != want.String() {
			t.Errorf("%s: got %s, want %s", name, got.String(), want.String())
		}
	}
}

// fold describes frames whatever the sizes of DATA; the end is "$".
func fold(b *strings.Builder, f string) {
	end := strings.HasPrefix(f, "RST") || strings.HasSuffix(f, " end)")
	if text, ok := strings.CutPrefix(f, "DATA(1 "); ok {
		f = strings.TrimSuffix(strings.TrimSuffix(text, ")"), " end")
	} else {
		f = strings.TrimSuffix(f, " end)")
	}
	b.WriteString(f)
	if end {
		b.WriteString("$")
	}
}

func TestAnswersToHEADHaveNoBody(t *testing.T) {
	t.Parallel()
	p := start(t, answering(nil, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"))
	p.headers(1, true, ":method: HEAD", ":scheme: http", ":path: /", ":authority: a")
	p.expect("HEADERS(1 :status=200 content-length=9 end)")
}

func TestHeadAndBodyLeaveTogether(t *testing.T) {
	t.Parallel()
	c := quick
	c.Serve = func(s *Stream) {
		if _, err := s.WriteBoth([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), []byte("ok")); err != nil {
			t.Error(err)
		}
		s.conn.mu.Lock()
		defer s.conn.mu.Unlock()
		if !s.ended || s.conn.output.pending != nil {
			t.Error("something was kept back")
		}
	}
	p := start(t, c)
	p.get(1)
	p.expect("HEADERS(1 :status=200 content-length=2) DATA(1 ok end)")
}

func TestAnEarlyAnswerEndsTheUpload(t *testing.T) {
	t.Parallel()
	c := quick
	c.Serve = func(s *Stream) { _, _ = io.WriteString(s, ok) }
	p := start(t, c)
	p.headers(1, false, ":method: POST", ":scheme: http", ":path: /", ":authority: a")
	p.expect("HEADERS(1 :status=200 content-length=2) DATA(1 ok end) RST_STREAM(1 NO_ERROR)")
	// What was on its way is nobody's fault.
	p.must(p.WriteData(1, true, []byte("late")))
	p.get(3)
	p.expect("HEADERS(3 :status=200 content-length=2) DATA(3 ok end)")
}

func TestAnswersWaitForTheWindows(t *testing.T) {
	t.Parallel()
	const size = 100 << 10
	text := "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + strings.Repeat("x", size)
	p := start(t, answering(nil, text), h2.Setting{ID: h2.SettingInitialWindowSize, Val: 10})
	p.get(1)
	p.expect("HEADERS(1 :status=200) DATA(1 xxxxxxxxxx)")
	p.must(p.WriteWindowUpdate(1, 5))
	p.expect("DATA(1 xxxxx)")
	p.must(p.WriteSettings(h2.Setting{ID: h2.SettingInitialWindowSize, Val: 12}))
	if got := p.next() + " " + p.next(); got != "SETTINGS(ack) DATA(1 xx)" && got != "DATA(1 xx) SETTINGS(ack)" {
		t.Errorf("got %s", got)
	}
	// Now the connection's is what holds it.
	p.must(p.WriteWindowUpdate(1, size))
	for left := 65535 - 17; left > 0; {
		f, err := p.ReadFrame()
		p.must(err)
		left -= int(f.Header().Length)
	}
	p.must(p.WritePing(false, [8]byte{}))
	p.expect(`PING("\x00\x00\x00\x00\x00\x00\x00\x00" true)`)
	p.must(p.WriteWindowUpdate(0, size))
	p.until("DATA(1  end)")
}

func TestStalledAnswersEndAtTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan error, 1)
		c := quick
		c.Serve = func(s *Stream) {
			_ = s.SetWriteDeadline(time.Now().Add(time.Second))
			_, err := io.WriteString(s, ok)
			failed <- err
		}
		p := piped(t, c).begin(h2.Setting{ID: h2.SettingInitialWindowSize, Val: 0})
		p.get(1)
		p.expect("HEADERS(1 :status=200 content-length=2) RST_STREAM(1 INTERNAL_ERROR)")
		if err, ok := (<-failed).(interface{ Timeout() bool }); !ok || !err.Timeout() {
			t.Errorf("got %v", err)
		}
	})
}

// A client whose windows hold a few bytes gets all of its answer: it sends more
// frames than it would for others, and each is needed.
func TestClientsWithTinyWindowsAreServed(t *testing.T) {
	t.Parallel()
	const size, window = 20_000, 10
	p := start(t, answering(nil, "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n"+strings.Repeat("x", size)),
		h2.Setting{ID: h2.SettingInitialWindowSize, Val: window})
	p.get(1)
	for got := 0; got < size; {
		f, err := p.ReadFrame()
		p.must(err)
		switch f := f.(type) {
		case *h2.DataFrame:
			got += len(f.Data())
			for _, id := range []uint32{0, 1} {
				p.must(p.WriteWindowUpdate(id, uint32(len(f.Data()))))
			}
		case *h2.GoAwayFrame, *h2.RSTStreamFrame:
			t.Fatalf("got %v after %d bytes", f, got)
		}
	}
}

// Streams whose windows hold one byte each get their turns, none more often than
// others.
func TestTinyWindowsAreServedByTurns(t *testing.T) {
	t.Parallel()
	const streams, rounds = 100, 5
	p := start(t, answering(nil, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"+strings.Repeat("x", 1000)),
		h2.Setting{ID: h2.SettingInitialWindowSize, Val: 1})
	for i := range uint32(streams) {
		p.get(2*i + 1)
	}
	got := map[uint32]int{}
	for frames := 0; frames < streams*rounds; {
		f, err := p.ReadFrame()
		p.must(err)
		switch f := f.(type) {
		case *h2.DataFrame:
			frames++
			got[f.StreamID]++
			for _, id := range []uint32{0, f.StreamID} {
				p.must(p.WriteWindowUpdate(id, uint32(len(f.Data()))))
			}
		case *h2.GoAwayFrame, *h2.RSTStreamFrame:
			t.Fatalf("got %v after %d frames", f, frames)
		}
	}
	for id, n := range got {
		if n > rounds+2 {
			t.Errorf("stream %d got %d frames in %d rounds", id, n, rounds)
		}
	}
}
