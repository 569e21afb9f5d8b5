package adapter

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

//go:embed ruby/*.rb python/*.py python/passenger_adapter/*.py node/*.cjs
var programs embed.FS

// A Set is the adapters of this build, written to a directory.
type Set struct {
	dir string
}

// Dir returns the directory that holds the set.
func (s Set) Dir() string { return s.dir }

// Install writes the adapters to DIR/adapters/HASH, where HASH names their
// content: two builds never share a file, and a running process keeps the
// files it was started with. It may be called again at any time, also by
// several programs at once; it writes what is missing or differs. Every user
// may read the files; that DIR exists and every user may reach it is the caller's
// affair.
func Install(dir string) (Set, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Set{}, fmt.Errorf("install adapters: %w", err)
	}
	files, hash, err := contents()
	if err != nil {
		return Set{}, fmt.Errorf("install adapters: %w", err)
	}
	base := filepath.Join(dir, "adapters")
	s := Set{dir: filepath.Join(base, hash)}
	for _, d := range []string{base, s.dir} {
		if err := makeDir(d); err != nil {
			return Set{}, fmt.Errorf("install adapters: %w", err)
		}
	}
	for _, f := range files {
		path := filepath.Join(s.dir, filepath.FromSlash(f.name))
		if err := makeDirs(s.dir, filepath.Dir(path)); err != nil {
			return Set{}, fmt.Errorf("install adapters: %w", err)
		}
		if err := writeFile(path, f.data); err != nil {
			return Set{}, fmt.Errorf("install adapters: %w", err)
		}
	}
	return s, nil
}

// A file is one embedded file; its name has slashes on every system.
type file struct {
	name string
	data []byte
}

// contents returns the embedded files in order of name, and the hash of all.
func contents() ([]file, string, error) {
	var files []file
	sum := sha256.New()
	err := fs.WalkDir(programs, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := programs.ReadFile(name)
		if err != nil {
			return err
		}
		files = append(files, file{name, data})
		fmt.Fprintf(sum, "%s %d\n", name, len(data))
		sum.Write(data)
		return nil
	})
	return files, hex.EncodeToString(sum.Sum(nil))[:12], err
}

// makeDir makes path, whose parent exists, with mode 0755 whatever the umask. It
// accepts an existing directory only if that is ours: in a directory that users
// share, another user could have made it and filled it with programs.
func makeDir(path string) error {
	err := os.Mkdir(path, 0o755)
	if err == nil {
		return os.Chmod(path, 0o755)
	}
	if !os.IsExist(err) {
		return err
	}
	fi, err := os.Lstat(path)
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !fi.IsDir() || !ok || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s is not a directory of ours; remove it", path)
	}
	return nil
}

// makeDirs makes path and what is missing above it, down from base, which
// exists.
func makeDirs(base, path string) error {
	if path == base {
		return nil
	}
	if err := makeDirs(base, filepath.Dir(path)); err != nil {
		return err
	}
	return makeDir(path)
}

// writeFile makes the file at path hold data, with mode 0644. An interpreter
// that opens it meanwhile sees all of it or none.
func writeFile(path string, data []byte) error {
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, data) {
		return nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails once it was renamed
	if err := tmp.Chmod(0o644); err != nil {
		tmp.Close()
		return err
	}
	if _, err := tmp.Write(data); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
