package notify

import (
	"io"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A message with descriptors counts, and the descriptors go nowhere: an app could
// fill the spawner's table with them.
func TestListenTakesNoDescriptors(t *testing.T) {
	t.Parallel()
	s, err := New(t.TempDir(), AnyUser)
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan Notice, 1)
	go s.Listen(syscall.Getpgrp(), func(n Notice) { heard <- n })
	client, err := s.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := unix.Sendmsg(int(client.Fd()), []byte("READY=1"), unix.UnixRights(int(w.Fd())), nil, 0); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if n := <-heard; !n.Ready {
		t.Errorf("got %+v, want ready", n)
	}
	// It ends where nobody has the other end of the pipe any more.
	if b, err := io.ReadAll(r); err != nil || len(b) > 0 {
		t.Errorf("got %q, %v", b, err)
	}
	s.Finish()
}
