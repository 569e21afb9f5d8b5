package http2

import (
	"io"
	"strings"
	"sync/atomic"
	"testing"

	h2 "golang.org/x/net/http2"
)

// X27, and row 56 of the fault matrix: what costs us more than the client ends
// the connection, and does not reach the app beyond a bound.
func TestFloodsAreCalmed(t *testing.T) {
	t.Parallel()
	const many = 10_000
	get := func(p *peer, i int) error {
		return p.WriteHeaders(h2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: p.encode(plain...), EndStream: true, EndHeaders: true})
	}
	for name, send := range map[string]func(p *peer, i int) error{
		"rapid reset": func(p *peer, i int) error {
			if err := get(p, i); err != nil {
				return err
			}
			return p.WriteRSTStream(uint32(2*i+1), h2.ErrCodeCancel)
		},
		"made you reset": func(p *peer, i int) error { // CVE-2025-8671
			if err := get(p, i); err != nil {
				return err
			}
			return p.WriteWindowUpdate(uint32(2*i+1), 0)
		},
		"more streams than allowed": get,
		"malformed requests": func(p *peer, i int) error {
			return p.WriteHeaders(h2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: p.encode("x: y"), EndStream: true, EndHeaders: true})
		},
		"pings":          func(p *peer, i int) error { return p.WritePing(false, [8]byte{}) },
		"settings":       func(p *peer, i int) error { return p.WriteSettings() },
		"acks":           func(p *peer, i int) error { return p.WriteSettingsAck() },
		"priorities":     func(p *peer, i int) error { return p.WritePriority(1, h2.PriorityParam{StreamDep: 3}) },
		"window updates": func(p *peer, i int) error { return p.WriteWindowUpdate(0, 1) },
		"unknown frames": func(p *peer, i int) error { return p.WriteRawFrame(h2.FrameType(0x0a+i%6), 0xff, uint32(i%2), nil) },
		"empty fragments": func(p *peer, i int) error {
			if i == 0 {
				return p.WriteHeaders(h2.HeadersFrameParam{StreamID: 1})
			}
			return p.WriteContinuation(1, false, nil)
		},
		"endless fragments": func(p *peer, i int) error {
			block := p.encode("x: " + strings.Repeat("y", maxFrame-10))
			if i == 0 {
				return p.WriteHeaders(h2.HeadersFrameParam{StreamID: 1, BlockFragment: block})
			}
			return p.WriteContinuation(1, false, block)
		},
		"empty data": func(p *peer, i int) error {
			if i == 0 {
				return p.WriteHeaders(h2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(plain...), EndHeaders: true})
			}
			return p.WriteData(1, false, nil)
		},
		"padding": func(p *peer, i int) error {
			if i == 0 {
				return p.WriteHeaders(h2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(plain...), EndHeaders: true})
			}
			return p.WriteDataPadded(1, false, nil, make([]byte, 20))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var served, together, most atomic.Int64
			c := quick
			c.Serve = func(s *Stream) {
				served.Add(1)
				n := together.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				_, _ = io.Copy(io.Discard, s) // until it breaks off
				together.Add(-1)
			}
			p := start(t, c)
			sent := make(chan bool)
			go func() {
				defer close(sent)
				for i := 0; i < many && send(p, i) == nil; i++ {
				}
			}()
			if got := p.until("GOAWAY"); !strings.HasSuffix(got, " ENHANCE_YOUR_CALM)") {
				t.Errorf("got %s", got)
			}
			for p.next() != "closed" {
			}
			p.nc.Close()
			<-p.done
			<-sent
			if n := served.Load(); n > 300 {
				t.Errorf("%d requests came through", n)
			}
			if n := most.Load(); n > maxServed {
				t.Errorf("%d requests at once came through", n)
			}
		})
	}
}

// What a busy client sends costs it no patience.
func TestBusyClientsAreNotCalmed(t *testing.T) {
	t.Parallel()
	p := start(t, answering(nil, ok))
	for i := range 3000 {
		id := uint32(2*i + 1)
		p.must(p.WritePriority(id, h2.PriorityParam{}))
		p.get(id)
		p.until("DATA")
		for range 4 { // as for every frame of data, and then some
			p.must(p.WriteWindowUpdate(0, 1))
		}
		p.must(p.WritePing(false, [8]byte{}))
		p.until("PING")
	}
}

func TestForbiddenFramesEndTheConnection(t *testing.T) {
	t.Parallel()
	post := func(p *peer, id uint32, frames int) {
		p.headers(id, false, ":method: POST", ":scheme: http", ":path: /", ":authority: a")
		for range frames {
			p.WriteData(id, false, make([]byte, maxFrame))
		}
	}
	for name, test := range map[string]struct {
		send func(p *peer)
		code string
	}{
		"frame size 0":            {func(p *peer) { p.WriteSettings(h2.Setting{ID: h2.SettingMaxFrameSize}) }, "PROTOCOL_ERROR"}, // CVE-2026-33814
		"a window too large":      {func(p *peer) { p.WriteSettings(h2.Setting{ID: h2.SettingInitialWindowSize, Val: 1 << 31}) }, "FLOW_CONTROL_ERROR"},
		"an even stream":          {func(p *peer) { p.get(2) }, "PROTOCOL_ERROR"},
		"an older stream":         {func(p *peer) { p.get(5); p.until("DATA"); p.get(3) }, "STREAM_CLOSED"},
		"data on no stream":       {func(p *peer) { p.WriteData(0, true, nil) }, "PROTOCOL_ERROR"},
		"data on a new stream":    {func(p *peer) { p.WriteData(9, true, nil) }, "PROTOCOL_ERROR"},
		"reset of a new stream":   {func(p *peer) { p.WriteRSTStream(9, 0) }, "PROTOCOL_ERROR"},
		"window of a new stream":  {func(p *peer) { p.WriteWindowUpdate(9, 1) }, "PROTOCOL_ERROR"},
		"a window that overflows": {func(p *peer) { p.WriteWindowUpdate(0, 1<<31-1) }, "FLOW_CONTROL_ERROR"},
		"a promise":               {func(p *peer) { p.WritePushPromise(h2.PushPromiseParam{StreamID: 1, PromiseID: 2}) }, "PROTOCOL_ERROR"},
		"a table out of reach": {func(p *peer) {
			p.WriteHeaders(h2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff, 0x7f}, EndHeaders: true})
		}, "COMPRESSION_ERROR"},
		"a string without end": {func(p *peer) {
			p.WriteHeaders(h2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x00, 0x7f, 0xff, 0xff, 0xff, 0x07}, EndHeaders: true})
		}, "COMPRESSION_ERROR"},
		"a frame too large": {func(p *peer) { p.WriteRawFrame(h2.FramePing, 0, 0, make([]byte, maxFrame+1)) }, "FRAME_SIZE_ERROR"},
		"a frame among fragments": {func(p *peer) {
			p.WriteHeaders(h2.HeadersFrameParam{StreamID: 1})
			p.WriteRawFrame(0x0a, 0, 0, nil)
		}, "PROTOCOL_ERROR"},
		"more than a stream's window": {func(p *peer) { post(p, 1, streamWindow/maxFrame+1) }, "RST_STREAM(1 FLOW_CONTROL_ERROR)"},
		"more than the window": {func(p *peer) {
			const frames = streamWindow / maxFrame
			for i := range connWindow/maxFrame/frames + 1 {
				post(p, uint32(2*i+1), frames)
			}
		}, "FLOW_CONTROL_ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := answering(nil, ok)
			if strings.HasPrefix(name, "more than") {
				c.Serve = func(s *Stream) {
					s.conn.mu.Lock()
					defer s.conn.mu.Unlock()
					for s.failed == nil {
						s.wake.Wait() // and read nothing
					}
				}
			}
			p := start(t, c)
			test.send(p)
			if strings.HasPrefix(test.code, "RST_STREAM") {
				if got := p.until("RST_STREAM"); got != test.code {
					t.Errorf("got %s, want %s", got, test.code)
				}
				return
			}
			if got := p.until("GOAWAY"); !strings.HasSuffix(got, " "+test.code+")") {
				t.Errorf("got %s, want %s", got, test.code)
			}
			if got := p.next(); got != "closed" {
				t.Errorf("got %s after GOAWAY", got)
			}
		})
	}
}
