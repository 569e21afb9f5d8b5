package adapter

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"passenger/lib/protocol"
)

// An app that forks in every way that Ruby has. A child tells on fd 1 which
// sockets it holds, and no client must get what it answers.
const forking = `
require "timeout"

module Forking
  def self.sockets
    Dir.children("/proc/self/fd").map { |fd| File.readlink("/proc/self/fd/#{fd}") rescue "" }.grep(/socket/).size
  end

  def self.tell
    $stdout.syswrite("child holds #{sockets}\n")
  end

  # What the parent says of a child.
  def self.outcome(pid)
    return "no child" unless pid
    Timeout.timeout(10) { Process.wait(pid) }
    $?.signaled? ? "signal #{$?.termsig}" : "status #{$?.exitstatus}"
  end

  def self.answer(env)
    case env["PATH_INFO"]
    when "/exit"
      pid = fork
      unless pid
        tell
        exit 0
      end
      outcome(pid)
    when "/exit3"
      pid = fork or exit(3)
      outcome(pid)
    when "/abort"
      pid = fork or abort("aborted")
      outcome(pid)
    when "/raise"
      pid = fork or raise("in the child")
      outcome(pid)
    when "/throw"
      pid = fork or throw(:nothing)
      outcome(pid)
    when "/return"
      pid = fork
      tell unless pid
      outcome(pid)
    when "/rescued"
      begin
        pid = fork or exit(0)
      rescue Exception
        return "swallowed"
      end
      outcome(pid)
    when "/block" then outcome(fork { tell })
    when "/block-return" then outcome(fork { next })
    when "/quit" then outcome(fork { exit! 4 })
    when "/process" then outcome(Process.fork { tell })
    when "/nested" then outcome(fork { fork { tell }; Process.wait })
    when "/daemon" then outcome(fork { Process.daemon(true, true); tell })
    when "/thread"
      said = nil
      Thread.new do
        pid = fork
        tell unless pid
        said = outcome(pid)
      end.join
      said
    when "/term"
      reading, writing = IO.pipe
      pid = fork do
        writing.syswrite(".")
        sleep
      end
      reading.read(1)
      Process.kill(:TERM, pid)
      outcome(pid)
    when "/interrupted" # before the child runs a line of Ruby
      said = nil
      30.times do
        pid = fork
        sleep unless pid
        Process.kill(:INT, pid)
        said = outcome(pid)
        break unless said == "signal 2"
      end
      said
    when "/popen" # both sides return, one of them with nil
      io = IO.popen("-")
      return "child" unless io
      io.read
      io.close
      "status #{$?.exitstatus}"
    when "/workers" # as the gem parallel has it
      Array.new(3) do |i|
        reading, writing = IO.pipe
        pid = fork do
          reading.close
          writing.write(Marshal.dump(i))
          exit!
        end
        writing.close
        value = Marshal.load(reading)
        outcome(pid)
        value
      end.join(" ")
    when "/system"
      "#{system("true")} #{` + "`echo -n back`" + `} #{outcome(spawn("exit 5"))} #{IO.popen("echo -n read", &:read)}"
    when "/leave"
      fork { $stdout.syswrite("left #{Process.pid}\n"); sleep 60 }
      "left"
    when "/hijack"
      io = env["rack.hijack"].call
      pid = fork { io.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nchild") }
      Process.wait(pid)
      io.close
      ""
    else "page"
    end
  end

  # A body that forks.
  class Body
    def initialize(nonce, where)
      @nonce = nonce
      @where = where
    end

    def each
      yield "#{@nonce} "
      forked if @where == "each"
      yield "forked"
    end

    def close
      forked if @where == "close"
    end

    def forked
      pid = fork
      Process.wait(pid) if pid
    end
  end
end

at_exit { $stdout.syswrite("at exit\n") }

run(lambda { |env|
  nonce = env["HTTP_NONCE"]
  case env["PATH_INFO"]
  when "/each", "/close" then [200, { "Content-Type" => "text/plain" }, Forking::Body.new(nonce, env["PATH_INFO"][1..-1])]
  when "/finished"
    env["rack.response_finished"] << ->(*) { (pid = fork) && Process.wait(pid) }
    [200, { "Content-Type" => "text/plain" }, ["#{nonce} forked"]]
  else [200, { "Content-Type" => "text/plain" }, ["#{nonce} #{Forking.answer(env)}"]]
  end
})
`

// eachForking starts the app with one thread, with three, in a forked process,
// and as on Rubies before 3.1.
func eachForking(t *testing.T, test func(t *testing.T, p *process)) {
	for name, threads := range map[string]int{"one thread": 1, "three threads": 3, "old Ruby": 1, "old Ruby with threads": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			need(t, "ruby")
			dir := writeApp(t, map[string]string{
				"config.ru": forking,
				"old.rb":    `def Process.respond_to?(name, *) = name != :_fork && super`,
			})
			var env []string
			if strings.HasPrefix(name, "old") {
				env = append(env, "RUBYOPT=-r"+filepath.Join(dir, "old.rb"))
			}
			p := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: dir, Threads: threads}, env...)
			test(t, p)
		})
	}
	t.Run("forked process", func(t *testing.T) {
		t.Parallel()
		need(t, "ruby")
		dir := writeApp(t, map[string]string{"config.ru": forking})
		pre, _ := startReadyPreloader(t, Spec{Type: protocol.TypeRack, AppRoot: dir})
		test(t, &pre.worker(t).process)
	})
}

// Whatever a child of the app does, each request gets its own answer, on the
// connection on which the app forked and on others.
func TestChildrenOfRackAppsAnswerNobody(t *testing.T) {
	eachForking(t, func(t *testing.T, p *process) {
		s, other := p.dial(t), p.dial(t)
		nonce := 0
		ask := func(s *session, uri string) string {
			nonce++
			n := fmt.Sprintf("nonce-%d", nonce)
			resp := s.do(t, request{uri: uri, env: map[string]string{"HTTP_NONCE": n}})
			got, ok := strings.CutPrefix(resp.body, n+" ")
			if !ok || resp.StatusCode != 200 {
				t.Fatalf("%s: got %d %q to %s\n%s", uri, resp.StatusCode, resp.body, n, p.output)
			}
			return got
		}
		ask(other, "/")
		for uri, want := range map[string]string{
			"/exit": "status 0", "/exit3": "status 3", "/abort": "status 1", "/raise": "status 1", "/throw": "status 1",
			"/return": "status 0", "/rescued": "status 0", "/block": "status 0", "/block-return": "status 0",
			"/quit": "status 4", "/process": "status 0", "/nested": "status 0", "/daemon": "status 0",
			"/thread": "status 0", "/term": "signal 15", "/interrupted": "signal 2", "/popen": "status 0", "/workers": "0 1 2",
			"/system": "true back status 5 read", "/each": "forked", "/close": "forked", "/finished": "forked",
		} {
			if got := ask(s, uri); got != want {
				t.Errorf("%s: got %q, want %q", uri, got, want)
			}
			for range 2 {
				ask(s, "/")
				ask(other, "/")
			}
		}
		if out := p.output.String(); !strings.Contains(out, "child holds 0\n") || strings.Count(out, "child holds") != strings.Count(out, "child holds 0\n") {
			t.Errorf("children hold sockets of ours:\n%s", out)
		}
		if p.notify != nil {
			p.signal(t, syscall.SIGTERM)
			if got := p.notice(t); got != "STOPPING=1" {
				t.Errorf("got notice %q, want the process's own STOPPING=1 as the first", got)
			}
		}
	})
}

// A child may have the connection that the app took over.
func TestChildrenOfRackAppsKeepWhatWasTakenOver(t *testing.T) {
	eachForking(t, func(t *testing.T, p *process) {
		s := p.dial(t)
		s.send(request{uri: "/hijack"})
		if got, err := io.ReadAll(s.r); string(got) != "HTTP/1.1 199 Hijacked\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nchild" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// A child that outlives its process keeps none of its sockets open.
func TestChildrenOfRackAppsThatOutliveThem(t *testing.T) {
	eachForking(t, func(t *testing.T, p *process) {
		s := p.dial(t)
		s.do(t, request{uri: "/leave"})
		p.awaitOutput(t, "left ")
		var child int
		fmt.Sscanf(p.output.String()[strings.LastIndex(p.output.String(), "left "):], "left %d", &child)
		defer syscall.Kill(child, syscall.SIGKILL)
		p.signal(t, syscall.SIGKILL)
		s.closed(t)
		if err := syscall.Kill(child, 0); err != nil {
			t.Errorf("the child is gone: %v", err)
		}
	})
}

// What an app forks while it loads holds no socket, and does not serve.
func TestChildrenOfLoadingRackApps(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	for name, code := range map[string]string{
		"block":  `pid = fork { $stdout.syswrite("child holds #{sockets.call}\n") }`,
		"return": `pid = fork; $stdout.syswrite("child holds #{sockets.call}\n") unless pid`,
		"exit":   `pid = fork; exit 0 unless pid; $stdout.syswrite("child holds 0\n")`,
		"hook":   `pid = nil; PhusionPassenger.on_event(:starting_worker_process) { fork; $stdout.syswrite("child holds 0\n") }`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := writeApp(t, map[string]string{"config.ru": `
				sockets = -> { Dir.children("/proc/self/fd").map { |fd| File.readlink("/proc/self/fd/#{fd}") rescue "" }.grep(/socket/).size }
				` + code + `
				Process.wait(pid) if pid
				run ->(env) { [200, {}, [Process.pid.to_s]] }`})
			p := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: dir})
			p.awaitOutput(t, "child holds 0\n")
			for range 20 {
				if got := p.dial(t).do(t, request{}).body; got != fmt.Sprint(p.cmd.Process.Pid) {
					t.Errorf("got an answer of %s, want one of %d", got, p.cmd.Process.Pid)
				}
			}
			p.signal(t, os.Signal(syscall.SIGTERM))
			if got := p.notice(t); got != "STOPPING=1" {
				t.Errorf("got notice %q", got)
			}
		})
	}
}
