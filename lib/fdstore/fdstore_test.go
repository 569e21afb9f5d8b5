package fdstore

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"passenger/lib/unixsock"
)

// patienceOfTests bounds every wait of a test.
const patienceOfTests = time.Minute

// A world is a store and the socket at which it answers.
type world struct {
	*Store
	t    *testing.T
	path string
	stop context.CancelFunc
	done sync.WaitGroup
}

func start(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "fds") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{t: t, path: filepath.Join(dir, "s")}
	w.run(&Store{GID: -1})
	t.Cleanup(func() { w.end() })
	return w
}

// run puts a store in the place of the one before.
func (w *world) run(s *Store) {
	w.t.Helper()
	l, err := unixsock.Listen(w.path, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	w.Store, w.stop = s, stop
	w.done.Go(func() { s.Serve(ctx, l) })
}

// end ends the store as the death of its process would.
func (w *world) end() {
	w.stop()
	w.done.Wait()
	w.Close()
}

// A server listens and has a deposit.
type server struct {
	net.Listener
	*Deposit
	stop context.CancelFunc
	gone chan struct{} // closed when its deposit is over
}

func (w *world) serve(address string) *server {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	raw, err := l.(syscall.Conn).SyscallConn()
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &server{l, &Deposit{Path: w.path, Addresses: []string{address}}, stop, make(chan struct{})}
	s.With = func(f func([]int) error) (inner error) {
		return errors.Join(raw.Control(func(fd uintptr) { inner = f([]int{int(fd)}) }), inner)
	}
	go func() {
		s.Run(ctx)
		close(s.gone)
	}()
	w.t.Cleanup(func() {
		stop()
		<-s.gone
		l.Close()
	})
	w.await("the deposit", func() bool { return slices.Equal(addresses(w.Kept()), []string{address}) })
	return s
}

// die does what the death of the server's process does.
func (s *server) die() {
	s.Forget()
	s.stop()
	<-s.gone
	s.Listener.Close()
}

func (w *world) await(what string, is func() bool) {
	w.t.Helper()
	for end := time.Now().Add(patienceOfTests); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("waited %v for %s", patienceOfTests, what)
		}
	}
}

func connects(l net.Listener) bool {
	c, err := net.Dial("tcp", l.Addr().String())
	if err == nil {
		c.Close()
	}
	return err == nil
}

func TestAConnectionWaitsForTheSuccessor(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.serve(":80")
	s.die()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatalf("nobody serves, but the store has the socket: %v", err)
	}
	defer c.Close()
	list, err := Take(w.path, []string{":80"})
	if err != nil || len(list) != 1 || list[0].Address != ":80" {
		t.Fatalf("got %v, %v", list, err)
	}
	f := os.NewFile(uintptr(list[0].FD), "taken")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if a.RemoteAddr().String() != c.LocalAddr().String() {
		t.Errorf("got a connection from %v, want %v", a.RemoteAddr(), c.LocalAddr())
	}
}

func TestAServerThatStopsRefusesConnections(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.serve(":80")
	s.stop()
	<-s.gone
	s.Listener.Close()
	if connects(s) {
		t.Error("a connection was taken")
	}
	if n := len(w.Kept()); n != 0 {
		t.Errorf("%d sockets are kept", n)
	}
}

func TestSocketsComeAgainToAStoreThatComesAgain(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.serve(":80")
	w.end()
	w.run(&Store{GID: -1})
	w.await("the sockets", func() bool { return len(w.Kept()) == 1 })
	s.die()
	if !connects(s) {
		t.Error("the connection was refused")
	}
}

// A store that replaces its program hands the sockets on. What a server takes
// out meanwhile is taken out of the next one.
func TestAStoreGoesOnWithWhatItHad(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.serve(":80")
	var copies []Socket
	for _, k := range w.Kept() {
		fd, err := syscall.Dup(k.FD)
		if err != nil {
			t.Fatal(err)
		}
		copies = append(copies, Socket{k.Address, fd})
	}
	w.end()
	next := &Store{GID: -1}
	next.Adopt(copies)
	if got := addresses(next.Kept()); !slices.Equal(got, []string{":80"}) {
		t.Fatalf("got %q", got)
	}
	if next.owner != os.Geteuid() {
		t.Errorf("they are those of user %d", next.owner)
	}
	w.run(next)
	s.stop()
	<-s.gone
	s.Listener.Close()
	if connects(s) {
		t.Error("a connection was taken")
	}
}

func TestOnlyWhatTheSuccessorWantsStays(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.serve(":80")
	s.die()
	list, err := Take(w.path, []string{":81"})
	if err != nil || len(list) != 0 {
		t.Fatalf("got %v, %v", list, err)
	}
	if connects(s) {
		t.Error("the socket that no server wants is open")
	}
	all := w.serve(":82")
	all.die()
	if list, err := Take(w.path, nil); err != nil || len(list) != 1 {
		t.Errorf("got %v, %v", list, err)
	} else {
		CloseAll(list)
	}
}

// A server that was replaced has nothing to take out.
func TestTheSuccessorsSocketsAreItsOwn(t *testing.T) {
	t.Parallel()
	w := start(t)
	old := w.serve(":80")
	w.serve(":81")
	old.stop()
	<-old.gone
	if got := addresses(w.Kept()); !slices.Equal(got, []string{":81"}) {
		t.Errorf("got %q", got)
	}
}

func TestSocketsOfADeadServerAreNotKeptForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		fd, err := syscall.Dup(int(w.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		w.Close()
		s := &Store{GID: -1}
		s.Adopt([]Socket{{":80", fd}})
		time.Sleep(patience - time.Nanosecond)
		synctest.Wait()
		if len(s.Kept()) != 1 {
			t.Error("they were closed too early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if len(s.Kept()) != 0 {
			t.Error("they are kept still")
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil { // ends once it is closed
			t.Errorf("got %d, %v", n, err)
		}
	})
}

func TestTheStoreRefuses(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := w.serve(":80")
	r, p, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer p.Close()
	for _, tt := range []struct {
		name string
		line string
		fds  []int
		want string
	}{
		{"what does not listen", `{"action":"keep","addresses":["a"]}`, []int{int(p.Fd())}, "not a listening socket"},
		{"an address without a socket", `{"action":"keep","addresses":["a"]}`, nil, "not as many"},
		{"a socket without an address", `{"action":"keep"}`, []int{int(p.Fd())}, "not as many"},
		{"what it does not know", `{"action":"eat"}`, nil, `unknown action \"eat\"`},
		{"to release what is another's", `{"action":"release"}`, nil, "another server"},
	} {
		c, err := dial(w.path)
		if err != nil {
			t.Fatal(err)
		}
		if err := unixsock.Send(c, []byte(tt.line), tt.fds); err != nil {
			t.Fatal(err)
		}
		line, fds, err := unixsock.Receive(c)
		if err != nil || len(fds) > 0 || !strings.Contains(string(line), tt.want) {
			t.Errorf("%s: got %s with %v, %v; want %s", tt.name, line, fds, err, tt.want)
		}
		c.Close()
	}
	c, err := dial(w.path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := unixsock.Send(c, []byte("{"), nil); err != nil {
		t.Fatal(err)
	}
	if line, _, err := unixsock.Receive(c); err == nil {
		t.Errorf("nonsense was answered %s", line)
	}
	if got := addresses(w.Kept()); !slices.Equal(got, []string{":80"}) || !connects(s) {
		t.Errorf("after all that it keeps %q", got)
	}
}

// Sockets are handed out to their user and to root only.
func TestSocketsAreTheirUsers(t *testing.T) {
	t.Parallel()
	s := &Store{GID: -1, owner: 4711, sockets: []Socket{{":80", -1}}}
	for uid, want := range map[int]bool{0: true, 4711: true, 4712: false} {
		if err := s.obey(nil, uid, request{Action: take}, nil); (err == nil) != want {
			t.Errorf("user %d: %v", uid, err)
		}
	}
}

func TestNamesAreReversible(t *testing.T) {
	t.Parallel()
	for _, address := range []string{":80", "tls:[::1]:443", "unix:/a b,c=d%3A\u00e9", ""} {
		name := Name(address)
		if strings.ContainsAny(name, ":,=\n") {
			t.Errorf("%q has a character with a meaning", name)
		}
		if got, ok := Address(name); !ok || got != address {
			t.Errorf("%q became %q, %v", address, got, ok)
		}
	}
	for _, name := range []string{"web.socket", "kept-%zz", ""} {
		if got, ok := Address(name); ok {
			t.Errorf("%q is taken for %q", name, got)
		}
	}
}
