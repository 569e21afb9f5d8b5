package adapter

import (
	"bufio"
	"fmt"
	"io"
	"testing"

	"passenger/lib/protocol"
)

const takenOver = "HTTP/1.1 199 Hijacked\r\n\r\n"

const hijacking = `
kept = kept_hints = nil
tell = ->(what) { warn "#{what}" }
attempt = lambda do |hijack|
  io = hijack.call
  "got #{io.class}"
rescue IOError => e
  "refused: #{e.message}"
end
run(lambda { |env|
  body = ["page"]
  case env["PATH_INFO"]
  when "/keep" then kept, kept_hints = env["rack.hijack"], env["rack.early_hints"]
  when "/stale" then body = [attempt.call(kept)]
  when "/background"
    body = [Thread.new { kept_hints.call("Link" => "</stale>"); attempt.call(kept) }.value]
  when "/each" then body = Enumerator.new { |out| out << "begun "; out << attempt.call(env["rack.hijack"]) }
  when "/close"
    body = ["page"]
    body.define_singleton_method(:close) { tell.call("closed: " + attempt.call(env["rack.hijack"])) }
  when "/hints"
    hints = env["rack.early_hints"]
    Thread.new { hints.call("Link" => "</now>") }.join
    body = Enumerator.new { |out| out << "begun "; hints.call("Link" => "</late>"); out << "end" }
  when "/return", "/twice", "/raise"
    io = env["rack.hijack"].call
    io.equal?(env["rack.hijack"].call) or raise "another" if env["PATH_INFO"] == "/twice"
    io.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\napp")
    raise "after the hijack" if env["PATH_INFO"] == "/raise"
    body.define_singleton_method(:close) { tell.call("closed the other body") }
    Thread.new { io.read; tell.call("the app's connection ended"); io.close }
  when "/sync"
    io = env["rack.hijack"].call
    io.write("HTTP/1.1 200 OK\r\n\r\n")
    while (line = io.gets)
      io.write(line)
    end
    io.close
  end
  [200, { "Content-Type" => "text/plain" }, body]
})
`

func startHijacking(t *testing.T, threads int) *process {
	t.Helper()
	need(t, "ruby")
	dir := writeApp(t, map[string]string{"config.ru": hijacking})
	return startReady(t, Spec{Type: protocol.TypeRack, AppRoot: dir, Threads: threads})
}

// What an app keeps of a request is of no use when its answer has begun or is
// over: the connection is another request's.
func TestRackHijackThatComesTooLateIsRefused(t *testing.T) {
	t.Parallel()
	for _, threads := range []int{1, 3} {
		p := startHijacking(t, threads)
		s := p.dial(t)
		const refused = "refused: rack.hijack comes too late: the response has begun"
		for _, r := range [][2]string{
			{"/keep", "page"}, {"/stale", refused}, {"/background", refused}, {"/each", "begun " + refused}, {"/close", "page"}, {"/", "page"},
		} {
			if resp := s.do(t, request{uri: r[0]}); resp.StatusCode != 200 || resp.body != r[1] {
				t.Errorf("%s: got %d %q, want %q", r[0], resp.StatusCode, resp.body, r[1])
			}
		}
		p.awaitOutput(t, "closed: "+refused)
		s.send(request{uri: "/hints"})
		if resp := s.receive(t, "GET"); resp.StatusCode != 103 || resp.Header.Get("Link") != "</now>" {
			t.Errorf("got %d %v", resp.StatusCode, resp.Header)
		}
		if resp := s.receive(t, "GET"); resp.body != "begun end" {
			t.Errorf("got %q, want no hint within it", resp.body)
		}
	}
}

// An app that took its connection over and then returns an answer, or fails,
// answers with what it wrote alone.
func TestRackAnswersBesideAHijackAreDropped(t *testing.T) {
	t.Parallel()
	p := startHijacking(t, 1)
	for _, uri := range []string{"/return", "/twice", "/raise"} {
		s := p.dial(t)
		s.send(request{uri: uri})
		s.Conn.(interface{ CloseWrite() error }).CloseWrite()
		if got, err := io.ReadAll(s.r); string(got) != takenOver+"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\napp" || err != nil {
			t.Errorf("%s: got %q, %v", uri, got, err)
		}
	}
	p.awaitOutput(t, "closed the other body")
	p.awaitOutput(t, "the app's connection ended")
	p.awaitOutput(t, "after the hijack (RuntimeError)")
}

// A thread that stays with a connection takes no request's thread away; with
// one thread, who asks learns when it is free.
func TestRackIsFreeBesideItsHijackedConnections(t *testing.T) {
	t.Parallel()
	question := request{env: map[string]string{protocol.VariableWork: protocol.WorkNone}}
	hold := func(t *testing.T, p *process) *session {
		s := p.dial(t)
		s.send(request{uri: "/sync"})
		want := takenOver + "HTTP/1.1 200 OK\r\n\r\n"
		got := make([]byte, len(want))
		if _, err := io.ReadFull(s.r, got); err != nil || string(got) != want {
			t.Fatalf("got %q, %v", got, err)
		}
		return s
	}
	t.Run("three threads", func(t *testing.T) {
		t.Parallel()
		p := startHijacking(t, 3)
		var held []*session
		for range 10 {
			held = append(held, hold(t, p))
			if resp := p.dial(t).do(t, question); resp.StatusCode != 200 || resp.body != "" {
				t.Fatalf("got %d %q", resp.StatusCode, resp.body)
			}
			if got := p.ask(t, "/"); got != "page" {
				t.Fatalf("got %q", got)
			}
		}
		for i, s := range held {
			fmt.Fprintf(s, "line %d\n", i)
			if got, err := s.r.ReadString('\n'); got != fmt.Sprintf("line %d\n", i) {
				t.Errorf("got %q, %v", got, err)
			}
		}
	})
	t.Run("one thread", func(t *testing.T) {
		t.Parallel()
		p := startHijacking(t, 1)
		s, asking := hold(t, p), p.dial(t)
		asking.send(question)
		fmt.Fprint(s, "line\n")
		if got, err := s.r.ReadString('\n'); got != "line\n" {
			t.Errorf("got %q, %v", got, err)
		}
		early := make(chan byte, 1)
		in := bufio.NewReader(asking)
		go func() { b, _ := in.ReadByte(); early <- b }()
		select {
		case b := <-early:
			t.Errorf("got %q while the only thread is busy", b)
		default:
		}
		s.Conn.(interface{ CloseWrite() error }).CloseWrite()
		if b := <-early; b != 'H' {
			t.Errorf("got %q, want an answer", b)
		}
	})
}
