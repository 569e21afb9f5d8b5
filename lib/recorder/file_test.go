package recorder

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"passenger/lib/statedir"
)

// TestMain is a daemon that records, if it is asked to be.
func TestMain(m *testing.M) {
	path := os.Getenv("RECORD_INTO")
	if path == "" {
		os.Exit(m.Run())
	}
	f, err := open(path, "pool")
	if err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		if err := f.append(sampleKind, full(i)); err != nil {
			panic(err)
		}
		os.Stdout.WriteString(strconv.Itoa(i) + "\n")
	}
}

// Everything that was written before kill -9 is there, but for the sample that
// was being written.
func TestKilledRecorderLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pool.recording")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RECORD_INTO="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	last := -1
	for lines.Scan() {
		if last, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
		if last == 2*Kept+100 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	if last < 2*Kept+100 {
		t.Fatalf("it wrote %d samples", last+1)
	}
	r := recorded(t, path)
	if len(r.Samples) < Kept || r.Lost != 0 {
		t.Fatalf("got %d samples, %d lost", len(r.Samples), r.Lost)
	}
	if at := r.Samples[len(r.Samples)-1].At; at.Before(start.Add(step*0)) || int(at.Sub(start)/step) < last {
		t.Errorf("the last sample is of %v; %d were written", at, last+1)
	}
}

// What others put in the file's place is replaced, and nothing that it leads to is
// changed.
func TestForeignFilesAreReplaced(t *testing.T) {
	t.Parallel()
	victim := func(t *testing.T, dir string) string {
		path := filepath.Join(dir, "victim")
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, put := range map[string]func(t *testing.T, dir, path string) error{
		"link":      func(t *testing.T, dir, path string) error { return os.Symlink(victim(t, dir), path) },
		"hard link": func(t *testing.T, dir, path string) error { return os.Link(victim(t, dir), path) },
		"fifo":      func(_ *testing.T, _, path string) error { return syscall.Mkfifo(path, 0o600) },
		"empty":     func(_ *testing.T, _, path string) error { return os.WriteFile(path, nil, 0o600) },
		"garbage": func(_ *testing.T, _, path string) error {
			return os.WriteFile(path, bytes.Repeat([]byte{0xf5}, Size), 0o600)
		},
		"other version": func(_ *testing.T, _, path string) error {
			b := make([]byte, Size)
			copy(b, "passenger-recorder 2 pool\n")
			return os.WriteFile(path, b, 0o600)
		},
		"other daemon": func(_ *testing.T, _, path string) error {
			b := make([]byte, Size)
			copy(b, head("proxy"))
			return os.WriteFile(path, b, 0o600)
		},
		"readable by others": func(_ *testing.T, _, path string) error {
			b := make([]byte, Size)
			copy(b, head("pool"))
			return errors.Join(os.WriteFile(path, b, 0o600), os.Chmod(path, 0o644))
		},
		"left half made": func(_ *testing.T, _, path string) error { return os.WriteFile(path+".new", []byte("x"), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "pool.recording")
			if err := put(t, dir, path); err != nil {
				t.Fatal(err)
			}
			f := opened(t, path)
			if err := f.append(sampleKind, full(0)); err != nil {
				t.Fatal(err)
			}
			fi, err := os.Lstat(path)
			if err != nil || !fi.Mode().IsRegular() || fi.Mode().Perm() != 0o600 || fi.Size() != Size {
				t.Errorf("got %v, error %v", fi, err)
			}
			if n := len(recorded(t, path).Samples); n != 1 {
				t.Errorf("got %d samples, want 1", n)
			}
			if b, err := os.ReadFile(filepath.Join(dir, "victim")); err == nil && string(b) != "precious" {
				t.Error("what it led to was changed")
			}
		})
	}
}

func TestOtherVersionIsNamed(t *testing.T) {
	t.Parallel()
	_, err := read(strings.NewReader("passenger-recorder 2 pool\n"))
	if err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("got %v", err)
	}
}

// While a predecessor records, its successor does not; then it goes on.
func TestOneRecordsAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pool.recording")
	f := opened(t, path)
	if _, err := open(path, "pool"); !errors.Is(err, errBusy) {
		t.Errorf("got %v, want %v", err, errBusy)
	}
	f.close()
	for range 60_000 { // a process that another test forks has the lock, too, until it is a program
		next, err := open(path, "pool")
		if err == nil {
			next.close()
			return
		}
		if !errors.Is(err, errBusy) {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("the successor waits in vain")
}

func TestPlaceThatTakesNoFile(t *testing.T) {
	t.Parallel()
	r := &Recorder{Dir: statedir.At(filepath.Join(t.TempDir(), "missing")), Daemon: "pool"}
	if err := r.record(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := r.record(t.Context()); err != nil {
		t.Errorf("got %v at once again, want no attempt", err)
	}
}
