package adapter

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"passenger/lib/protocol"
)

// threadedLanguages have the same app: /meet answers when three requests are
// in it at once, /slow when the file exists that the query names, / says
// whether the app is told of threads, and what it sees of the contract.
var threadedLanguages = []language{
	{"ruby", "ruby", Spec{Type: protocol.TypeRack}, "config.ru", `
mutex, arrived, inside = Mutex.new, ConditionVariable.new, 0
PhusionPassenger.on_event(:starting_request_handler_thread) { warn "thread" }
run ->(env) {
  case env["PATH_INFO"]
  when "/meet"
    mutex.synchronize do
      inside += 1
      arrived.broadcast
      arrived.wait(mutex, 10) until inside >= 3
    end
  when "/slow"
    warn "serving #{env["QUERY_STRING"]}"
    sleep 0.01 until File.exist?(env["QUERY_STRING"])
  end
  [200, {}, ["#{env["rack.multithread"]} #{ENV.keys.grep(/THREADS/)}"]]
}
`},
	{"python", "python3", Spec{Type: protocol.TypeWSGI}, "passenger_wsgi.py", `
import os, sys, threading, time
arrived, inside = threading.Condition(), 0
def application(environ, start_response):
    global inside
    if environ["PATH_INFO"] == "/meet":
        with arrived:
            inside += 1
            arrived.notify_all()
            if not arrived.wait_for(lambda: inside >= 3, 10):
                raise RuntimeError("alone")
    elif environ["PATH_INFO"] == "/slow":
        sys.stderr.write("serving %s\n" % environ["QUERY_STRING"])
        while not os.path.exists(environ["QUERY_STRING"]):
            time.sleep(0.01)
    start_response("200 OK", [])
    told = str(environ["wsgi.multithread"]).lower()
    return [("%s %s" % (told, [n for n in os.environ if "THREADS" in n])).encode()]
`},
}

// eachThreaded runs test for the app with three threads in each language.
func eachThreaded(t *testing.T, test func(t *testing.T, spec Spec)) {
	for _, l := range threadedLanguages {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			need(t, l.interpreter)
			spec := l.spec
			spec.Threads = 3
			spec.AppRoot = writeApp(t, map[string]string{l.file: l.app})
			test(t, spec)
		})
	}
}

// send sends n requests of uri, each on a session of its own.
func (p *process) send(t *testing.T, n int, uri string) []*session {
	t.Helper()
	sessions := make([]*session, n)
	for i := range sessions {
		sessions[i] = p.dial(t)
		sessions[i].send(request{uri: uri})
	}
	return sessions
}

func receiveOK(t *testing.T, sessions []*session) {
	t.Helper()
	for _, s := range sessions {
		if got := s.receive(t, "GET"); got.StatusCode != 200 || got.err != nil {
			t.Errorf("got status %d, error %v", got.StatusCode, got.err)
		}
	}
}

func TestThreadsAnswerAtOnce(t *testing.T) {
	eachThreaded(t, func(t *testing.T, spec Spec) {
		p := startReady(t, spec)
		receiveOK(t, p.send(t, 3, "/meet"))
		if got, want := p.ask(t, "/"), "true []"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestThreadsOfAForkedProcess(t *testing.T) {
	eachThreaded(t, func(t *testing.T, spec Spec) {
		p, notice := startReadyPreloader(t, spec, "PASSENGER_THREADS=3")
		if notice != "READY=1" {
			t.Errorf("got notice %q, want no warnings: threads come after the fork", notice)
		}
		receiveOK(t, p.worker(t).send(t, 3, "/meet"))
	})
}

func TestMoreConnectionsThanThreads(t *testing.T) {
	eachThreaded(t, func(t *testing.T, spec Spec) {
		p := startReady(t, spec)
		idle := p.send(t, 10, "/") // they stay open
		receiveOK(t, idle)
		receiveOK(t, p.send(t, 9, "/meet"))
		for _, s := range idle {
			s.send(request{uri: "/"})
		}
		receiveOK(t, idle)
	})
}

func TestThreadsFinishOnSIGTERM(t *testing.T) {
	eachThreaded(t, func(t *testing.T, spec Spec) {
		p := startReady(t, spec)
		receiveOK(t, p.send(t, 1, "/")) // an idle connection delays nothing
		file := filepath.Join(t.TempDir(), "go-on")
		var slow []*session
		for _, n := range []string{"1", "2"} {
			slow = append(slow, p.send(t, 1, "/slow?"+file+n)...)
			p.awaitOutput(t, "serving "+file+n)
		}
		p.signal(t, syscall.SIGTERM)
		for _, n := range []string{"2", "1"} {
			if err := os.WriteFile(file+n, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		receiveOK(t, slow)
		if status := p.wait(t); status != 0 {
			t.Errorf("got exit status %d, want 0", status)
		}
	})
}

func TestEventOfEachThread(t *testing.T) {
	t.Parallel()
	l := threadedLanguages[0]
	need(t, l.interpreter)
	spec := l.spec
	spec.AppRoot = writeApp(t, map[string]string{l.file: l.app})
	for _, threads := range []int{1, 3} {
		spec.Threads = threads
		p := startReady(t, spec)
		p.ask(t, "/")
		p.awaitOutput(t, strings.Repeat("thread\n", threads))
		p.signal(t, syscall.SIGTERM)
		p.wait(t)
		if got := strings.Count(p.output.String(), "thread\n"); got != threads {
			t.Errorf("got %d events with %d threads", got, threads)
		}
	}
}

// With one thread a process has one.
func TestOneThreadIsTheDefault(t *testing.T) {
	t.Parallel()
	l := threadedLanguages[0]
	need(t, l.interpreter)
	spec := l.spec
	spec.AppRoot = writeApp(t, map[string]string{l.file: l.app})
	if got, want := startReady(t, spec).ask(t, "/"), "false []"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A thread that the app ends costs its request, and none that comes later.
func TestRackAppsThatEndTheThread(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	dir := writeApp(t, map[string]string{"config.ru": `
		body = Enumerator.new { |y| y << "x"; Thread.exit }
		run ->(env) {
		  case env["PATH_INFO"]
		  when "/exit" then Thread.exit
		  when "/kill" then Thread.current.kill
		  when "/body" then next [200, {}, body]
		  when "/killer"
		    Thread.list.each { |thread| thread.kill unless [Thread.main, Thread.current].include?(thread) }
		  when "/leave" then exit 3
		  end
		  [200, {}, ["served"]]
		}`})
	p := startReady(t, Spec{Type: protocol.TypeRack, AppRoot: dir, Threads: 2})
	for range 3 {
		for _, path := range []string{"/exit", "/kill", "/body"} {
			s := p.dial(t)
			s.send(request{uri: path})
			if got, err := io.ReadAll(s.r); err != nil || strings.HasSuffix(string(got), "0\r\n\r\n") {
				t.Errorf("%s: got %q, %v, want a connection that ended, and no whole answer", path, got, err)
			}
			receiveOK(t, p.send(t, 2, "/"))
		}
		receiveOK(t, p.send(t, 1, "/killer"))
		receiveOK(t, p.send(t, 3, "/"))
	}
	s := p.dial(t)
	s.send(request{uri: "/leave"})
	if got := p.wait(t); got != 3 || strings.Contains(p.output.String(), "ThreadError") {
		t.Errorf("got status %d, want the app's\n%s", got, p.output)
	}
}
