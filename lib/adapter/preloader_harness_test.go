package adapter

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A preloader is an adapter that forks on demand, with the test in the place
// of the spawner.
type preloader struct {
	process
	channel *os.File // SEQPACKET, our end
	orders  int
}

// A worker is a process that a preloader forked. It is a child of the test,
// which is a subreaper.
type worker struct {
	process
	gate *os.File
	pid  int
}

// startPreloader starts spec's app in a preloader.
func startPreloader(t testing.TB, spec Spec, env ...string) *preloader {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	set, err := Install(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	spec.Preload = true
	inv, err := set.Invocation(spec)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := socketPair(t, syscall.SOCK_SEQPACKET)
	defer theirs.Close()
	p := &preloader{process: process{output: &output{}, exited: make(chan struct{})}, channel: ours}
	report := p.listenForNotice(t, filepath.Join(shortDir(t), "notify"))
	defer report.Close()

	p.cmd = exec.Command(inv.Args[0], inv.Args[1:]...)
	p.cmd.Dir = spec.AppRoot
	p.cmd.Env = append(os.Environ(), "PWD="+spec.AppRoot,
		"RAILS_ENV=production", "RACK_ENV=production", "WSGI_ENV=production", "PASSENGER_APP_ENV=production",
		"IN_PASSENGER=1", "PASSENGER_PRELOADER_FD=3", "PASSENGER_NOTIFY_FD=4")
	p.cmd.Env = append(append(p.cmd.Env, inv.Env...), env...)
	p.cmd.ExtraFiles = []*os.File{theirs, report}
	p.run(t)
	return p
}

// run starts p.cmd; the test's end kills its group.
func (p *process) run(t testing.TB) {
	t.Helper()
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p.cmd.WaitDelay = time.Second // a grandchild may hold stdout
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Without a reaped leader the group's number is still ours.
		select {
		case <-p.exited:
		default:
			syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
			<-p.exited
		}
		if t.Failed() {
			t.Logf("output of %q:\n%s", p.cmd.Args, p.output)
		}
	})
	go func() {
		p.cmd.Wait()
		close(p.exited)
	}()
}

// startReadyPreloader starts a preloader and returns it with its first notice,
// which says that it is ready.
func startReadyPreloader(t testing.TB, spec Spec, env ...string) (*preloader, string) {
	t.Helper()
	p := startPreloader(t, spec, env...)
	notice := p.notice(t)
	if first, _, _ := strings.Cut(notice, "\n"); first != "READY=1" {
		t.Fatalf("got notice %q, want READY=1\noutput:\n%s", notice, p.output)
	}
	return p, notice
}

// order has p fork a process and returns it when p has answered. It waits at
// its gate.
func (p *preloader) order(t testing.TB) *worker {
	t.Helper()
	w := p.place(t)
	if got, want := p.answer(t), (answer{ID: fmt.Sprintf("order%d", p.orders)}); got != want {
		t.Fatalf("got answer %+v, want %+v\noutput:\n%s", got, want, p.output)
	}
	return w
}

// place orders a process and does not wait for the answer.
func (p *preloader) place(t testing.TB) *worker {
	t.Helper()
	return p.placeWith(t, nil)
}

// orderWith is order, with endpoint in the place of the listening socket.
func (p *preloader) orderWith(t testing.TB, endpoint *os.File) *worker {
	t.Helper()
	w := p.placeWith(t, endpoint)
	if got := p.answer(t); got.Error != "" {
		t.Fatalf("got answer %+v", got)
	}
	return w
}

func (p *preloader) placeWith(t testing.TB, endpoint *os.File) *worker {
	t.Helper()
	w := &worker{process: process{output: &output{}, exited: make(chan struct{})}}
	dir := shortDir(t)
	w.socket = filepath.Join(dir, "app.sock")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: w.socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	defer listener.Close()
	socket, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	if endpoint != nil {
		socket.Close()
		socket = endpoint
	}
	report := w.listenForNotice(t, filepath.Join(dir, "notify"))
	reading, writing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		io.Copy(w.output, reading)
		reading.Close()
	}()
	var theirs *os.File
	w.gate, theirs = socketPair(t, syscall.SOCK_STREAM)
	if err := unix.SetsockoptInt(int(w.gate.Fd()), unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		t.Fatal(err)
	}
	w.gate.SetDeadline(time.Now().Add(bound))

	p.orders++
	id := fmt.Sprintf("order%d", p.orders)
	rights := unix.UnixRights(int(writing.Fd()), int(writing.Fd()), int(socket.Fd()), int(report.Fd()), int(theirs.Fd()))
	if err := unix.Sendmsg(int(p.channel.Fd()), []byte(`{"id":"`+id+`"}`), rights, nil, 0); err != nil {
		t.Fatalf("order: %v\noutput:\n%s", err, p.output)
	}
	for _, f := range []*os.File{writing, socket, report, theirs} {
		f.Close()
	}
	return w
}

// An answer is what a preloader says to an order.
type answer struct{ ID, Error string }

func (p *preloader) answer(t testing.TB) answer {
	t.Helper()
	buf := make([]byte, 4096)
	_ = p.channel.SetReadDeadline(time.Now().Add(bound))
	n, err := p.channel.Read(buf)
	if err != nil {
		t.Fatalf("no answer: %v\noutput:\n%s", err, p.output)
	}
	var a answer
	if err := json.Unmarshal(buf[:n], &a); err != nil {
		t.Fatalf("answer %q: %v", buf[:n], err)
	}
	return a
}

// hello waits until w has shown itself at its gate.
func (w *worker) hello(t testing.TB) {
	t.Helper()
	raw, err := w.gate.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	buf, oob := make([]byte, 16), make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	var n, oobn int
	var errRead error
	err = raw.Read(func(fd uintptr) bool {
		n, oobn, _, _, errRead = unix.Recvmsg(int(fd), buf, oob, 0)
		return errRead != unix.EAGAIN
	})
	if err != nil || errRead != nil || string(buf[:n]) != "h" {
		t.Fatalf("at the gate: got %q, errors %v, %v", buf[:n], err, errRead)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		t.Fatalf("control messages %v: %v", messages, err)
	}
	cred, err := unix.ParseUnixCredentials(&messages[0])
	if err != nil {
		t.Fatal(err)
	}
	w.pid = int(cred.Pid)
	w.cmd = &exec.Cmd{}
	if w.cmd.Process, err = os.FindProcess(w.pid); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-w.exited:
		default:
			syscall.Kill(-w.pid, syscall.SIGKILL)
			<-w.exited
		}
		if t.Failed() {
			t.Logf("output of worker %d:\n%s", w.pid, w.output)
		}
	})
	go func() {
		w.cmd.ProcessState, _ = w.cmd.Process.Wait()
		close(w.exited)
	}()
}

// open lets w through its gate.
func (w *worker) open(t testing.TB) {
	t.Helper()
	if _, err := w.gate.WriteString("g"); err != nil {
		t.Fatal(err)
	}
}

// keep lets w through its gate, which it is to keep.
func (w *worker) keep(t testing.TB) {
	t.Helper()
	if _, err := w.gate.WriteString("k"); err != nil {
		t.Fatal(err)
	}
}

// worker forks a process and waits until it is ready.
func (p *preloader) worker(t testing.TB) *worker {
	t.Helper()
	w := p.order(t)
	w.hello(t)
	w.open(t)
	if got := w.notice(t); got != "READY=1" {
		t.Fatalf("got notice %q from the worker, want READY=1\noutput:\n%s", got, w.output)
	}
	return w
}

// ask returns the body of the answer to a GET of uri, on a connection of its own.
func (p *process) ask(t testing.TB, uri string) string {
	t.Helper()
	s := p.dial(t)
	defer s.Close()
	return s.do(t, request{uri: uri}).body
}

// socketPair returns two connected sockets of the given type.
func socketPair(t testing.TB, kind int) (ours, theirs *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fds[1], false); err != nil {
		t.Fatal(err)
	}
	ours, theirs = os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	t.Cleanup(func() { ours.Close() })
	return ours, theirs
}

// shortDir returns a new directory whose path leaves room for a socket's name.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "adapter") // t.TempDir is too long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// statOf returns the fields of /proc/PID/stat after the name: state, parent,
// group, session.
func statOf(t testing.TB, pid int) []string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return strings.Fields(rest)
}

// linesWith returns the lines of text that begin with prefix, without it.
func linesWith(text, prefix string) (lines []string) {
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), prefix); ok {
			lines = append(lines, rest)
		}
	}
	return lines
}
