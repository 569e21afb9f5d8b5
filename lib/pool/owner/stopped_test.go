package owner

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"passenger/lib/proc"
)

// A sleeper is a process that stands for a proxy.
type sleeper struct {
	*exec.Cmd
	ended chan struct{} // closed when it was reaped
}

func sleep(t *testing.T) *sleeper {
	t.Helper()
	s := &sleeper{exec.Command("sleep", "60"), make(chan struct{})}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.Wait() // killed
		close(s.ended)
	}()
	t.Cleanup(func() {
		_ = s.Process.Kill() // it may have gone
		<-s.ended
	})
	return s
}

func (s *sleeper) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// awaitStop returns once the kernel says that it is stopped.
func (s *sleeper) awaitStop(t *testing.T, k *watcher, id string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !k.of(id).Stopped(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not stop")
		}
	}
}

func (s *sleeper) gone() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// One that is stopped is let go on at the second look, and killed if it is stopped
// still, or again, at the next.
func TestAStoppedProxyGoesOnOrIsKilled(t *testing.T) {
	t.Parallel()
	var k watcher
	t.Cleanup(k.close)
	s := sleep(t)
	k.heard("p", s.Process.Pid, false)
	k.look("p") // it runs
	s.signal(t, syscall.SIGSTOP)
	s.awaitStop(t, &k, "p")
	k.look("p")
	k.heard("p", s.Process.Pid, false) // it was on its way
	k.look("p")
	if s.gone() {
		t.Fatal("it was killed at the first look")
	}
	k.look("p")
	for end := time.Now().Add(time.Minute); k.of("p").Stopped(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not go on")
		}
	}
	s.signal(t, syscall.SIGSTOP)
	s.awaitStop(t, &k, "p")
	k.look("p")
	select {
	case <-s.ended:
	case <-time.After(time.Minute):
		t.Fatal("it was not killed")
	}
	k.awaitWatched(t, 0)
}

// of is who the proxy is, which is watched.
func (k *watcher) of(id string) proc.Identity {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.watched[id].handle.Identity()
}

// awaitWatched waits until n are watched.
func (k *watcher) awaitWatched(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		k.mu.Lock()
		got := len(k.watched)
		k.mu.Unlock()
		if got == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d are watched, want %d", got, n)
		}
	}
}

func TestOneThatGoesOnIsLeftAlone(t *testing.T) {
	t.Parallel()
	var k watcher
	t.Cleanup(k.close)
	s := sleep(t)
	k.heard("p", s.Process.Pid, false)
	s.signal(t, syscall.SIGSTOP)
	s.awaitStop(t, &k, "p")
	k.look("p")
	s.signal(t, syscall.SIGCONT)
	for k.of("p").Stopped() {
		time.Sleep(time.Millisecond)
	}
	k.look("p")
	k.look("p")
	k.awaitWatched(t, 1)
	if s.gone() {
		t.Error("it was killed")
	}
}

func TestThoseThatLeftAreForgotten(t *testing.T) {
	t.Parallel()
	died := make(chan string, 2) // room for all
	k := watcher{died: func(id string) { died <- id }}
	t.Cleanup(k.close)
	leaves, dies := sleep(t), sleep(t)
	k.heard("leaves", leaves.Process.Pid, false)
	k.heard("dies", dies.Process.Pid, false)
	k.heard("nobody", 0, false)
	k.heard("leaves", leaves.Process.Pid, true)
	k.heard("never came", leaves.Process.Pid, true)
	dies.signal(t, syscall.SIGKILL)
	<-dies.ended
	k.awaitWatched(t, 0)
	k.look("dies")
	k.look("leaves")
	k.close()
	if len(died) != 1 || <-died != "dies" {
		t.Error("one died, and it was another or more that were told")
	}
}

func TestNoMoreThanAFewAreWatched(t *testing.T) {
	t.Parallel()
	var k watcher
	t.Cleanup(k.close)
	s := sleep(t)
	for i := range 2 * mostProxies {
		k.heard(string(rune('a'+i)), s.Process.Pid, false)
	}
	k.awaitWatched(t, mostProxies)
}

func TestNobodyIsWatchedInTheEnd(t *testing.T) {
	t.Parallel()
	var k watcher
	s := sleep(t)
	k.heard("before", s.Process.Pid, false)
	k.close()
	k.heard("after", s.Process.Pid, false)
	k.awaitWatched(t, 0)
}
