package migrate

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A file may be anything: a FIFO without a writer, a device that never ends, a
// file that is larger than the memory.
func TestLoadNeitherWaitsNorReadsOn(t *testing.T) {
	dir := t.TempDir()
	fifo, sparse := filepath.Join(dir, "fifo"), filepath.Join(dir, "sparse.ini")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(sparse, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(sparse, 1<<40); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, "/dev/zero", dir} {
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", path, err)
		}
	}
	text, err := Load(sparse)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(Input{Path: sparse, Text: text}); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a file of a TiB: %v", err)
	}
}

func TestReadTellsOfUTF16(t *testing.T) {
	_, err := Read(Input{Path: "/a/uwsgi.ini", Text: []byte("\xff\xfe[\x00u\x00")})
	if err == nil || !strings.Contains(err.Error(), "save it as UTF-8") {
		t.Error(err)
	}
}
