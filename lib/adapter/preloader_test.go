package adapter

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"passenger/lib/protocol"
)

// A language is one in which there are preloaders, with the same app in each:
// it answers /pid, /random, /count (of requests), /loaded (by which process)
// and /environ.
type language struct {
	name, interpreter string
	spec              Spec
	file, app         string
}

var languages = []language{
	{"ruby", "ruby", Spec{Type: protocol.TypeRack}, "config.ru", `
loaded = Process.pid
count = 0
at_exit { warn "at exit" }
PhusionPassenger.on_event(:before_fork) { warn "before fork" }
PhusionPassenger.on_event(:starting_worker_process) { |forked| warn "starting forked=#{forked}" }
PhusionPassenger.on_event(:stopping_worker_process) { warn "stopping" }
run ->(env) {
  count += 1
  warn "serving" if env["PATH_INFO"] == "/slow"
  sleep 0.01 until env["PATH_INFO"] != "/slow" || File.exist?(env["QUERY_STRING"])
  body = { "/pid" => Process.pid, "/random" => rand(1 << 60), "/count" => count, "/loaded" => loaded,
           "/environ" => ENV.keys.grep(/LISTEN|NOTIFY|_FD/).inspect }[env["PATH_INFO"]]
  [200, { "content-type" => "text/plain" }, [body.to_s]]
}
`},
	{"python", "python3", Spec{Type: protocol.TypeWSGI}, "passenger_wsgi.py", `
import atexit, gc, os, random, sys, time
loaded = os.getpid()
count = 0
def warn(text):
    print(text, file=sys.stderr, flush=True)
atexit.register(warn, "at exit")
os.register_at_fork(before=lambda: warn("before fork"), after_in_child=lambda: warn("after fork"))
def application(environ, start_response):
    global count
    count += 1
    path = environ["PATH_INFO"]
    if path == "/slow":
        warn("serving")
        while not os.path.exists(environ["QUERY_STRING"]):
            time.sleep(0.01)
    body = {"/pid": os.getpid(), "/random": random.getrandbits(60), "/count": count, "/loaded": loaded,
            "/frozen": gc.get_freeze_count() > 1000,
            "/environ": [name for name in os.environ if "LISTEN" in name or "NOTIFY" in name or "_FD" in name]}.get(path)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(body).encode()]
`},
}

// eachLanguage runs test for an app in each language; more is added to its
// file, before what is there.
func eachLanguage(t *testing.T, test func(t *testing.T, l language, spec Spec)) {
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			need(t, l.interpreter)
			spec := l.spec
			spec.AppRoot = writeApp(t, map[string]string{l.file: l.app})
			test(t, l, spec)
		})
	}
}

func TestPreloaderForksProcessesThatServe(t *testing.T) {
	eachLanguage(t, func(t *testing.T, l language, spec Spec) {
		p, notice := startReadyPreloader(t, spec)
		if notice != "READY=1" {
			t.Errorf("got notice %q, want no warnings", notice)
		}
		pids, numbers := map[string]bool{}, map[string]bool{}
		for range 3 {
			w := p.worker(t)
			pid := w.ask(t, "/pid")
			pids[pid], numbers[w.ask(t, "/random")] = true, true
			if got, want := w.ask(t, "/loaded"), strconv.Itoa(p.cmd.Process.Pid); got != want {
				t.Errorf("the app was loaded by process %s, want %s", got, want)
			}
			if got := w.ask(t, "/count"); got != "4" {
				t.Errorf("got count %s, want 4: each process has its own memory", got)
			}
			if got := w.ask(t, "/environ"); got != "[]" {
				t.Errorf("the app sees %s of the contract", got)
			}
			stat := statOf(t, w.pid)
			if parent, group, session := stat[1], stat[2], stat[3]; parent != strconv.Itoa(os.Getpid()) || group != pid || session != pid {
				t.Errorf("process %s has parent %s, group %s, session %s; want us, itself, itself", pid, parent, group, session)
			}
		}
		if len(pids) != 3 || len(numbers) != 3 {
			t.Errorf("got pids %v and random numbers %v, want three of each", pids, numbers)
		}
	})
}

func TestForkedProcessFinishesItsRequestOnSIGTERM(t *testing.T) {
	eachLanguage(t, func(t *testing.T, l language, spec Spec) {
		p, _ := startReadyPreloader(t, spec)
		w := p.worker(t)
		file := filepath.Join(t.TempDir(), "go-on")
		s := w.dial(t)
		s.send(request{uri: "/slow?" + file})
		w.awaitOutput(t, "serving")
		w.signal(t, syscall.SIGTERM)
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if got := s.receive(t, "GET"); got.StatusCode != 200 || got.err != nil {
			t.Errorf("got status %d, error %v", got.StatusCode, got.err)
		}
		if status := w.wait(t); status != 0 {
			t.Errorf("got exit status %d, want 0", status)
		}
		w.awaitOutput(t, "at exit")
		if strings.Contains(p.output.String(), "at exit") {
			t.Error("the preloader ran the app's exit handlers")
		}
	})
}

// A signal between the gate and the handlers must not get lost.
func TestForkedProcessEndsOnSIGTERMAtItsGate(t *testing.T) {
	eachLanguage(t, func(t *testing.T, l language, spec Spec) {
		p, _ := startReadyPreloader(t, spec)
		w := p.order(t)
		w.hello(t)
		w.signal(t, syscall.SIGTERM)
		w.wait(t)
		if got := w.output.String(); strings.Contains(got, "at exit") {
			t.Errorf("the process went on: %s", got)
		}
	})
}

func TestForkedProcessVanishesWithItsGate(t *testing.T) {
	eachLanguage(t, func(t *testing.T, l language, spec Spec) {
		p, _ := startReadyPreloader(t, spec)
		w := p.order(t)
		w.hello(t)
		w.gate.Close()
		if status := w.wait(t); status != 0 {
			t.Errorf("got exit status %d, want 0", status)
		}
		if got := w.output.String(); strings.Contains(got, "at exit") || strings.Contains(got, "starting") {
			t.Errorf("the process did more than go: %s", got)
		}
		if pid := p.worker(t).ask(t, "/pid"); pid == "" {
			t.Error("the preloader forks no more")
		}
	})
}

func TestPreloaderEndsWithItsSpawner(t *testing.T) {
	eachLanguage(t, func(t *testing.T, l language, spec Spec) {
		p, _ := startReadyPreloader(t, spec)
		w := p.worker(t)
		p.channel.Close()
		if status := p.wait(t); status != 0 {
			t.Errorf("got exit status %d, want 0", status)
		}
		if got := w.ask(t, "/count"); got != "1" {
			t.Errorf("got %q from the process that it forked", got)
		}
	})
}

func TestPreloaderEndsOnSIGTERMAndSIGKILL(t *testing.T) {
	eachLanguage(t, func(t *testing.T, l language, spec Spec) {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGKILL} {
			p, _ := startReadyPreloader(t, spec)
			ready, waiting := p.worker(t), p.order(t)
			waiting.hello(t)
			p.signal(t, sig)
			p.wait(t)
			waiting.open(t)
			if got := waiting.notice(t); got != "READY=1" {
				t.Errorf("%v: got notice %q from the process at its gate", sig, got)
			}
			for _, w := range []*worker{ready, waiting} {
				if got := w.ask(t, "/count"); got != "1" {
					t.Errorf("%v: got %q from the process that it forked", sig, got)
				}
			}
		}
	})
}

func TestPreloaderKeepsNothingOfAnOrder(t *testing.T) {
	eachLanguage(t, func(t *testing.T, l language, spec Spec) {
		p, _ := startReadyPreloader(t, spec)
		count := func() int {
			fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
			if err != nil {
				t.Fatal(err)
			}
			return len(fds)
		}
		w := p.order(t) // answered: its descriptors are closed
		before := count()
		w.gate.Close()
		for range 5 {
			p.order(t).gate.Close()
		}
		if after := count(); after != before {
			t.Errorf("got %d descriptors after five orders, %d before", after, before)
		}
	})
}

func TestPreloaderRefusesAnOrderWithoutDescriptors(t *testing.T) {
	eachLanguage(t, func(t *testing.T, l language, spec Spec) {
		p, _ := startReadyPreloader(t, spec)
		if _, err := p.channel.WriteString(`{"id":"x"}`); err != nil {
			t.Fatal(err)
		}
		if got := p.answer(t); got.ID != "x" || !strings.Contains(got.Error, "has 0") {
			t.Errorf("got answer %+v", got)
		}
		p.worker(t)
	})
}

// Both forks may fail, the app's and the one of the process in between.
func TestPreloaderSaysThatItCannotFork(t *testing.T) {
	code := map[string]string{
		"ruby": `
Process.singleton_class.prepend(Module.new do
  def _fork
    limit = File.exist?("forks") ? File.read("forks").to_i : 2
    raise Errno::EAGAIN if (@forks = @forks.to_i + 1) > limit && limit < 2

    super
  end
end)
`,
		"python": `
import errno, os
from passenger_adapter import preloader
fork, forks = os.fork, 0
def limited_fork():
    global forks
    forks += 1
    limit = int(open("forks").read()) if os.path.exists("forks") else 2
    if forks > limit and limit < 2:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
    return fork()
preloader.fork = limited_fork
`,
	}
	eachLanguage(t, func(t *testing.T, l language, spec Spec) {
		if err := os.WriteFile(filepath.Join(spec.AppRoot, l.file), []byte(code[l.name]+l.app), 0o644); err != nil {
			t.Fatal(err)
		}
		limit := filepath.Join(spec.AppRoot, "forks")
		for _, n := range []string{"0", "1"} {
			if err := os.WriteFile(limit, []byte(n), 0o644); err != nil {
				t.Fatal(err)
			}
			p, _ := startReadyPreloader(t, spec)
			w := p.place(t)
			if got := p.answer(t); got.ID != "order1" || !strings.Contains(got.Error, "cannot fork: Resource temporarily unavailable") {
				t.Errorf("with %s forks: got answer %+v", n, got)
			}
			if n, err := w.gate.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("got %d bytes at the gate, want its end", n)
			}
			if err := os.Remove(limit); err != nil {
				t.Fatal(err)
			}
			p.worker(t)
		}
	})
}

func TestPreloaderSaysWhatIsUnsafe(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	address := listener.Addr().String()
	unsafe := map[string]string{
		"ruby": `require "socket"
$kept = TCPSocket.new("127.0.0.1", %s)
Thread.new { sleep }.tap { |thread| thread.name = "poller" }
Thread.new { sleep }
`,
		"python": `import socket, threading
kept = socket.create_connection(("127.0.0.1", %s))
def poll():
    threading.Event().wait()
threading.Thread(target=poll, name="poller", daemon=True).start()
`,
	}
	want := map[string][]string{
		"ruby":   {`^the thread "poller" started at \S*config.ru:3 will not run`, `^the thread started at \S*config.ru:4 `, `^the connection to ` + regexp.QuoteMeta(address) + ` `},
		"python": {`^the thread "poller" running poll \(\S*passenger_wsgi.py:3\) will not run`, `^the connection to ` + regexp.QuoteMeta(address) + ` `},
	}
	eachLanguage(t, func(t *testing.T, l language, spec Spec) {
		_, port, _ := net.SplitHostPort(address)
		code := fmt.Sprintf(unsafe[l.name], port) + l.app
		if err := os.WriteFile(filepath.Join(spec.AppRoot, l.file), []byte(code), 0o644); err != nil {
			t.Fatal(err)
		}
		p, notice := startReadyPreloader(t, spec)
		got := linesWith(notice, "X_PASSENGER_WARNING=")
		if len(got) != len(want[l.name]) {
			t.Fatalf("got %d warnings, want %d:\n%s", len(got), len(want[l.name]), notice)
		}
		for i, w := range want[l.name] {
			if !regexp.MustCompile(w).MatchString(got[i]) {
				t.Errorf("warning %d: got %q, want %q", i, got[i], w)
			}
		}
		p.worker(t) // it is a warning, no more
	})
}

func TestPreloaderSaysWhyTheAppDoesNotLoad(t *testing.T) {
	eachLanguage(t, func(t *testing.T, l language, spec Spec) {
		if err := os.WriteFile(filepath.Join(spec.AppRoot, l.file), []byte("require 'no_such'\nimport no_such\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		p := startPreloader(t, spec)
		if got := p.notice(t); !strings.HasPrefix(got, "X_PASSENGER_ERROR={") {
			t.Errorf("got notice %q", got)
		}
		if status := p.wait(t); status != 1 {
			t.Errorf("got exit status %d, want 1", status)
		}
	})
}

func TestPreloaderPrintsBacktracesOnSIGQUIT(t *testing.T) {
	eachLanguage(t, func(t *testing.T, l language, spec Spec) {
		p, _ := startReadyPreloader(t, spec)
		w := p.worker(t)
		p.signal(t, syscall.SIGQUIT)
		p.awaitOutput(t, "preloader.")
		w.signal(t, syscall.SIGQUIT)
		w.awaitOutput(t, "server.")
		if got := w.ask(t, "/count"); got != "1" {
			t.Errorf("got %q after SIGQUIT", got)
		}
		p.worker(t)
	})
}

// A process says where it hangs also before it has loaded the app.
func TestBacktracesWhileTheAppLoads(t *testing.T) {
	hangs := map[string]string{
		"ruby":   "def hang_here; warn 'loading'; sleep; end\nhang_here\n",
		"python": "import sys, time\ndef hang_here():\n    print('loading', flush=True)\n    time.sleep(600)\nhang_here()\n",
	}
	eachLanguage(t, func(t *testing.T, l language, spec Spec) {
		if err := os.WriteFile(filepath.Join(spec.AppRoot, l.file), []byte(hangs[l.name]), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, p := range []*process{start(t, spec), &startPreloader(t, spec).process} {
			p.awaitOutput(t, "loading")
			p.signal(t, syscall.SIGQUIT)
			p.awaitOutput(t, "hang_here")
		}
	})
}

func TestRubyEventsOfAPreloader(t *testing.T) {
	t.Parallel()
	l := languages[0]
	need(t, l.interpreter)
	spec := l.spec
	spec.AppRoot = writeApp(t, map[string]string{l.file: l.app})
	p, _ := startReadyPreloader(t, spec)
	w := p.worker(t)
	w.signal(t, syscall.SIGTERM)
	w.wait(t)
	w.awaitOutput(t, "starting forked=true\nstopping\nat exit\n")
	if got := p.output.String(); got != "before fork\n" {
		t.Errorf("got output %q of the preloader", got)
	}
}

func TestForkedProcessIsPromoted(t *testing.T) {
	eachLanguage(t, func(t *testing.T, l language, spec Spec) {
		for _, threads := range []string{"1", "3"} {
			p, _ := startReadyPreloader(t, spec, "PASSENGER_THREADS="+threads)
			origin := p.order(t)
			origin.hello(t)
			origin.keep(t)
			if got := origin.notice(t); got != "READY=1" {
				t.Fatalf("got notice %q", got)
			}
			s := origin.dial(t)
			s.do(t, request{uri: "/count"})

			ours, theirs := socketPair(t, syscall.SOCK_SEQPACKET)
			next := &preloader{process: process{output: &output{}}, channel: ours}
			clone := (&preloader{channel: origin.gate}).orderWith(t, theirs)
			clone.hello(t)
			clone.open(t)
			if got := clone.notice(t); got != "READY=1" {
				t.Fatalf("got notice %q from the promoted one", got)
			}
			if got := next.worker(t).ask(t, "/count"); got != "2" {
				t.Errorf("got count %s, want 2: it was forked from one that had answered a request", got)
			}
			if got := s.do(t, request{uri: "/count"}).body; got != "2" {
				t.Errorf("got count %s from the process that was promoted, want 2", got)
			}
			origin.signal(t, syscall.SIGTERM)
			if status := origin.wait(t); status != 0 {
				t.Errorf("got exit status %d", status)
			}
			ours.Close()
			if status := clone.wait(t); status != 0 {
				t.Errorf("got exit status %d of the promoted one", status)
			}
		}
	})
}

func TestPreloaderAsksForPathsBeforeItForks(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	dir := writeApp(t, map[string]string{"config.ru": `
asked = []
PhusionPassenger.on_event(:before_fork) { asked << "fork" }
run ->(env) {
  asked << env["SCRIPT_NAME"] + env["PATH_INFO"] + "?" + env["QUERY_STRING"]
  raise "it does not matter" if env["PATH_INFO"] == "/raise"
  [200, {}, ["x" * 1_000_000 + asked.join(" ")]]
}
`})
	p, notice := startReadyPreloader(t, Spec{Type: protocol.TypeRack, AppRoot: dir, WarmUp: []string{"/shop/a?b=c", "/shop/raise"}}, "PASSENGER_BASE_URI=/shop")
	if notice != "READY=1" {
		t.Errorf("got notice %q", notice)
	}
	got := strings.TrimLeft(p.worker(t).ask(t, "/last"), "x")
	if want := "/shop/a?b=c /shop/raise? fork /last?"; got != want {
		t.Errorf("got requests %q, want %q", got, want)
	}
}

func TestPythonForkHooksRun(t *testing.T) {
	t.Parallel()
	l := languages[1]
	need(t, l.interpreter)
	spec := l.spec
	spec.AppRoot = writeApp(t, map[string]string{l.file: l.app})
	p, _ := startReadyPreloader(t, spec)
	w := p.worker(t)
	p.awaitOutput(t, "after fork")
	if got := w.ask(t, "/frozen"); got != "True" {
		t.Errorf("the collector's objects are not frozen")
	}
}

// TestPythonForksAsTheSystemDoes has an app that puts other functions in the
// places of those that the preloader needs, as gevent does.
func TestPythonForksAsTheSystemDoes(t *testing.T) {
	t.Parallel()
	l := languages[1]
	need(t, l.interpreter)
	spec := l.spec
	spec.AppRoot = writeApp(t, map[string]string{l.file: l.app + `
def other(*_args):
    raise RuntimeError("the app's own")
os.close = os.fork = os.waitpid = other
`})
	p, _ := startReadyPreloader(t, spec)
	for range 2 {
		w := p.worker(t)
		if got := w.ask(t, "/pid"); got != strconv.Itoa(w.pid) {
			t.Errorf("got pid %s, want %d", got, w.pid)
		}
	}
}

func TestHookThatRaisesIsASpawnError(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	dir := writeApp(t, map[string]string{"config.ru": `
PhusionPassenger.on_event(:starting_worker_process) { raise "no licence for #{Process.pid}" }
run ->(env) { [200, {}, []] }
`})
	p, _ := startReadyPreloader(t, Spec{Type: protocol.TypeRack, AppRoot: dir})
	w := p.order(t)
	w.hello(t)
	w.open(t)
	if got := w.notice(t); !strings.Contains(got, `"category":"app"`) || !strings.Contains(got, "no licence for "+strconv.Itoa(w.pid)) {
		t.Errorf("got notice %q", got)
	}
	if status := w.wait(t); status != 1 {
		t.Errorf("got exit status %d, want 1", status)
	}
}

func TestAdvertisedConcurrencyGoesWithREADY(t *testing.T) {
	t.Parallel()
	need(t, "ruby")
	dir := writeApp(t, map[string]string{"config.ru": `
PhusionPassenger.advertised_concurrency_level = 7
run ->(env) { [200, {}, []] }
`})
	p := start(t, Spec{Type: protocol.TypeRack, AppRoot: dir})
	if got, want := p.notice(t), "READY=1\nX_PASSENGER_CONCURRENCY=7"; got != want {
		t.Errorf("got notice %q, want %q", got, want)
	}
}

func BenchmarkForkRails(b *testing.B) {
	need(b, "ruby")
	p, _ := startReadyPreloader(b, Spec{Type: protocol.TypeRack, AppRoot: testApp(b, "rails")}, "SECRET_KEY_BASE=x")
	for b.Loop() {
		start := time.Now()
		p.worker(b)
		b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "ms/last")
	}
}
