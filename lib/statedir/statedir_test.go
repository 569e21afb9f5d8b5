package statedir

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMain lets the test binary stand in for another daemon that holds a lock.
func TestMain(m *testing.M) {
	if dir := os.Getenv("STATEDIR_TEST_HOLD"); dir != "" {
		if _, err := Open(dir); err != nil {
			os.Stdout.WriteString(err.Error())
			os.Exit(1)
		}
		if _, err := At(dir).Lock(Pool); err != nil {
			os.Exit(1)
		}
		os.Stdout.WriteString("held\n")
		os.Stdin.Read(make([]byte, 1)) // until the test closes it
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestOpenMakesAPrivateDirectory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(short(t), "state")
	for range 2 { // a second time on what is there already
		d, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{d.Path(), d.Apps(), d.Processes()} {
			fi, err := os.Stat(p)
			if err != nil {
				t.Fatal(err)
			}
			if got := fi.Mode().Perm(); got != 0o700 {
				t.Errorf("mode of %s: got %04o, want 0700", p, got)
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		make func(t *testing.T, dir string) string
		want string
	}{
		{"a file", func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "f")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, "is not a directory but a regular file"},
		{"a symlink to a directory", func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "l")
			if err := os.Symlink(dir, path); err != nil {
				t.Fatal(err)
			}
			return path
		}, "is not a directory but a symlink"},
		{"one that others may write to", func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "d")
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, 0o777); err != nil {
				t.Fatal(err)
			}
			return path
		}, "has mode 0777: others may write to it"},
		{"one without a parent", func(_ *testing.T, dir string) string {
			return filepath.Join(dir, "missing", "d")
		}, "no such file or directory"},
		{"a path too long for its sockets", func(_ *testing.T, dir string) string {
			return filepath.Join(dir, strings.Repeat("x", 90))
		}, "and the limit here is 107"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(tt.make(t, short(t)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestOpenRefusesAnotherUsersDirectory(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a directory that belongs to another user")
	}
	t.Parallel()
	path := filepath.Join(short(t), "d")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	_, err := Open(path)
	if want := "belongs to user 65534"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one with %q", err, want)
	}
}

func TestLockNamesItsHolder(t *testing.T) {
	t.Parallel()
	d, err := Open(filepath.Join(short(t), "s"))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Holder(Pool); got != 0 {
		t.Fatalf("holder of a free lock: got %d, want 0", got)
	}
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "STATEDIR_TEST_HOLD="+d.Path())
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	if got := d.Holder(Pool); got != other.Process.Pid {
		t.Errorf("holder: got %d, want %d", got, other.Process.Pid)
	}
	_, err = d.Lock(Pool)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), strconv.Itoa(other.Process.Pid)) {
		t.Errorf("got error %v, want ErrLocked that names pid %d", err, other.Process.Pid)
	}
	in.Close()
	if err := other.Wait(); err != nil {
		t.Fatal(err)
	}
	l, err := d.Lock(Pool)
	if err != nil {
		t.Fatalf("lock after its holder is gone: %v", err)
	}
	if err := l.Unlock(); err != nil {
		t.Error(err)
	}
}

func TestLockDoesNotFollowASymlink(t *testing.T) {
	t.Parallel()
	dir := short(t)
	d, err := Open(filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	victim := filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(d.Path(), "pool.lock")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock(Pool); err == nil {
		t.Error("a lock that is a symlink was taken")
	}
	if b, _ := os.ReadFile(victim); string(b) != "kept" {
		t.Errorf("the symlink's target: got %q, want %q", b, "kept")
	}
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	type v struct {
		A int `json:"a"`
	}
	path := filepath.Join(short(t), "v.json")
	var got v
	if err := ReadJSON(path, &got); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("missing file: got %v, want fs.ErrNotExist", err)
	}
	if err := WriteJSON(path, struct {
		A     int    `json:"a"`
		Newer string `json:"field_of_a_newer_version"`
	}{7, "x"}); err != nil {
		t.Fatal(err)
	}
	if err := ReadJSON(path, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v{7}, got); diff != "" {
		t.Error(diff)
	}
	if err := os.WriteFile(path, []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ReadJSON(path, &got); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("broken file: got error %v, want one that names it", err)
	}
}
