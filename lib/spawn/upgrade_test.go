package spawn

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/protocol"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	for name, tt := range map[string]struct{ script, want, err string }{
		"fine":    {"#!/bin/sh\necho passenger-spawn 1.2", "passenger-spawn 1.2", ""},
		"fails":   {"#!/bin/sh\necho no library >&2; exit 3", "", "exit status 3: no library"},
		"no code": {"\x7fELF", "", "exec format error"},
		"hangs":   {"#!/bin/sh\nsleep 60", "", "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "program")
			// A child that another test forks meanwhile would hold the file open
			// for writing, and no process could execute it.
			syscall.ForkLock.RLock()
			err := os.WriteFile(path, []byte(tt.script), 0o700)
			syscall.ForkLock.RUnlock()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if name == "hangs" {
				ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
			}
			defer cancel()
			got, err := s.Version(ctx, path)
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %q, %v, want %q, %q", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestHold(t *testing.T) {
	t.Parallel()
	s, _ := newSpawner(t, shortDir(t))
	fifo := filepath.Join(t.TempDir(), "go")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	began := make(chan error, 1)
	go func() {
		_, err := s.Spawn(context.Background(), request("slow", appConfig("ready-when "+fifo)))
		began <- err
	}()
	eventually(t, "a start", func() bool { return s.underWay() == 1 })
	if n := s.Hold(t.Context(), 10*time.Millisecond); n != 1 {
		t.Errorf("got %d starts under way, want 1", n)
	}
	if _, err := s.Spawn(t.Context(), request("late", appConfig("ready"))); err != errHeld {
		t.Errorf("got %v, want errHeld", err)
	}
	held := make(chan int, 1)
	go func() { held <- s.Hold(context.Background(), time.Minute) }()
	if err := os.WriteFile(fifo, []byte("go"), 0); err != nil {
		t.Fatal(err)
	}
	if n := <-held; n != 0 {
		t.Errorf("got %d starts under way, want 0", n)
	}
	if err := <-began; err != nil {
		t.Error(err)
	}
	s.Resume()
	if r, err := s.Spawn(t.Context(), request("late", appConfig("ready"))); err != nil || r.State != protocol.Ready {
		t.Errorf("after Resume: %+v, %v", r, err)
	}
}
