package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// Whatever the file is, reading it ends, and says in the file's words why not.
func TestReadEnvFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(in("good"), []byte("\ufeffexport A=1\r\nB='two'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadEnvFile(in("good"))
	if diff := cmp.Diff([]string{"A=1", "B=two"}, got); err != nil || diff != "" {
		t.Errorf("got error %v and %s", err, diff)
	}
	if err := unix.Mkfifo(in("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = ReadEnvFile(in("fifo"))
	wantError(t, err, "fifo: not a regular file")
	if err := os.WriteFile(in("sparse"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(in("sparse"), 1<<40); err != nil {
		t.Fatal(err)
	}
	_, err = ReadEnvFile(in("sparse"))
	wantError(t, err, "sparse: larger than 1048576 bytes")
	_, err = ReadEnvFile("/dev/null")
	if err != nil {
		t.Errorf("got error %v for an empty file below /dev", err)
	}
}
