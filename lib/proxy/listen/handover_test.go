package listen

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"passenger/lib/unixsock"
)

// An offered proxy is one that offers its sockets.
type offered struct {
	path      string // where it does
	listeners []net.Listener
	handed    chan bool // its one answer
	stop      context.CancelFunc
}

// offerAt offers listeners at the addresses, and a lock that says "lock".
func offerAt(t *testing.T, addresses ...string) *offered {
	t.Helper()
	dir := shortDir(t)
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	if _, err := lock.WriteString("lock"); err != nil {
		t.Fatal(err)
	}
	o := &offered{path: filepath.Join(dir, "handover"), handed: make(chan bool, 1)}
	for _, a := range addresses {
		l, err := At(a, SocketFile{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		o.listeners = append(o.listeners, l)
	}
	l, err := unixsock.Listen(o.path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	o.stop = stop
	ended := make(chan struct{})
	t.Cleanup(func() {
		stop()
		<-ended // the lock is closed next
	})
	go func() {
		defer close(ended)
		o.handed <- Offer(ctx, l, lock, addresses, o.listeners)
	}()
	return o
}

// ended waits for the end of the offer, and says whether it was taken.
func (o *offered) ended(t *testing.T) (handed bool) {
	t.Helper()
	select {
	case handed = <-o.handed:
	case <-time.After(time.Minute):
		t.Fatal("waited in vain for the end of the offer")
	}
	return handed
}

// shortDir is a directory with a path short enough for sockets.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "proxy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestASuccessorGetsLockAndSockets(t *testing.T) {
	t.Parallel()
	web := "unix:" + filepath.Join(shortDir(t), "web")
	o := offerAt(t, "127.0.0.1:0", web)
	p, err := Succeed(o.path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got, want := p.Addresses(), []string{"127.0.0.1:0", web}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	b := make([]byte, 10)
	if n, _ := p.Lock.ReadAt(b, 0); string(b[:n]) != "lock" {
		t.Errorf("the lock says %q", b[:n])
	}
	l, err := p.Listen(web, SocketFile{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Ready(); err != nil {
		t.Fatal(err)
	}
	if !o.ended(t) {
		t.Error("the old proxy says that it handed nothing over")
	}
	for _, old := range o.listeners {
		old.Close()
	}
	// The old one left the file, and only the new one listens.
	c, err := net.Dial("unix", strings.TrimPrefix(web, "unix:"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	p.Sockets.Close()
	l.Close()
	if _, err := os.Lstat(strings.TrimPrefix(web, "unix:")); err == nil {
		t.Error("the new proxy left the file of its socket")
	}
}

// rogue answers the first who asks at its path with a line and descriptors,
// reads what follows, says last words and ends the talk.
func rogue(t *testing.T, line string, fds int, last string) (path string) {
	t.Helper()
	path = filepath.Join(shortDir(t), "handover")
	l, err := unixsock.Listen(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.AcceptUnix()
		if err != nil {
			return
		}
		defer c.Close()
		list := []int{0, 1, 2}[:fds]
		if err := unixsock.Send(c, []byte(line), list); err != nil {
			t.Error(err)
		}
		_, _ = c.Read(make([]byte, len("ready\n"))) // or its end
		_, _ = io.WriteString(c, last)
	}()
	return path
}

// Who offers something else is not succeeded.
func TestStrangePredecessors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		line string
		fds  int
		want string
	}{
		"no message":      {"hello", 1, "1 descriptors for 0 sockets"},
		"nothing":         {`{}`, 0, ""}, // a line without descriptors is no offer
		"no lock":         {`{"version":1,"addresses":["a"]}`, 1, "1 descriptors for 1 sockets"},
		"too many":        {`{"version":1,"addresses":[]}`, 3, "3 descriptors for 0 sockets"},
		"a later version": {`{"version":2,"addresses":[]}`, 1, "version 2"},
		"another address": {`{"version":1,"addresses":["a","b","c"]}`, 3, "3 descriptors for 3 sockets"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Succeed(rogue(t, c.line, c.fds, ""))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
	if _, err := Succeed(filepath.Join(shortDir(t), "none")); err == nil {
		t.Error("there was none to succeed")
	}
}

// A predecessor that does not let go has not handed over.
func TestPredecessorsThatDoNotLetGo(t *testing.T) {
	t.Parallel()
	for _, last := range []string{"", "by", "no!\n"} {
		p, err := Succeed(rogue(t, `{"version":1,"addresses":[]}`, 1, last))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Ready(); err == nil || !strings.Contains(err.Error(), "did not let go") {
			t.Errorf("%q: got %v", last, err)
		}
		p.Lock.Close()
		p.Close()
	}
}

// Successors that say something else get nothing more, and the next one does.
func TestStrangeSuccessors(t *testing.T) {
	t.Parallel()
	o := offerAt(t, "127.0.0.1:0")
	p, err := Succeed(o.path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(p.conn, "later\n"); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(p.conn); len(b) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %q, %v; want the end", b, err)
	}
	p.Close()
	p, err = Succeed(o.path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Ready(); err != nil {
		t.Error(err)
	}
	if !o.ended(t) {
		t.Error("nothing was handed over")
	}
}

// One that looks and goes leaves the old proxy as it was.
func TestAnUnreadySuccessorChangesNothing(t *testing.T) {
	t.Parallel()
	o := offerAt(t, "127.0.0.1:0")
	for range 2 {
		p, err := Succeed(o.path)
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
	}
	o.stop()
	if o.ended(t) {
		t.Error("it handed its sockets over to nobody")
	}
	if _, err := net.Dial("tcp", o.listeners[0].Addr().String()); err != nil {
		t.Error(err)
	}
}

// After a hand-over a listener that is closed refuses connections: no copy of
// the socket is left.
func TestSocketsLeaveNothingOpen(t *testing.T) {
	t.Parallel()
	o := offerAt(t, "127.0.0.1:0", "localhost:0")
	p, err := Succeed(o.path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.Narrow([]string{"127.0.0.1:0"})
	l, err := p.Listen("127.0.0.1:0", SocketFile{})
	if err != nil {
		t.Fatal(err)
	}
	p.Sockets.Close()
	all := append(o.listeners, l)
	for _, l := range all {
		l.Close()
	}
	for _, l := range all {
		if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
			t.Errorf("%s takes connections", l.Addr())
		}
	}
}

// A socket whose file is gone cannot be reached: it is made anew.
func TestAUnixSocketWithoutItsFileIsMadeAnew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(shortDir(t), "web")
	o := offerAt(t, "unix:"+path)
	p, err := Succeed(o.path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l, err := p.Listen("unix:"+path, SocketFile{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if c, err := net.Dial("unix", path); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
}
