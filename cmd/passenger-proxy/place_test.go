package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"passenger/lib/cli"
	"passenger/lib/statedir"
)

// dying is a proxy that has the state directory at path and does not hand it over:
// it closes each connection of a successor, and once it has refused one it is gone.
func dying(t *testing.T, path string) (gone chan struct{}) {
	t.Helper()
	holder := cli.Common{StateDir: path}
	dir, lock, err := holder.TakeStateDir(statedir.Proxy)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", dir.Handover())
	if err != nil {
		t.Fatal(err)
	}
	gone = make(chan struct{})
	go func() {
		defer close(gone)
		if c, err := l.Accept(); err == nil {
			c.Close()
		}
		l.Close()
		lock.Unlock()
	}()
	return gone
}

func TestTakePlaceOfAProxyThatDiesMeanwhile(t *testing.T) {
	dir, err := os.MkdirTemp("", "place") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "state")
	gone := dying(t, path)
	cmd := &command{Common: cli.Common{StateDir: path}}
	at, err := cmd.Serve.takePlace(cmd)
	if err != nil {
		t.Fatalf("takePlace beside a proxy that dies: %v, want its place", err)
	}
	<-gone
	if at.old != nil {
		t.Error("takePlace took over from a proxy that had closed the connection")
	}
	at.leave()
}
