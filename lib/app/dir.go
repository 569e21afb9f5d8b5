package app

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxLook is how much of a file is looked at, in bytes.
const maxLook = 1 << 20

// A directory is an app's, as it is looked at: only regular files are opened,
// without waiting for what a FIFO in their place never says, and no more than
// maxLook of each is read. The app's own user fills it.
type directory struct {
	path string

	// root keeps symlinks from leading out of the directory; nil lets them.
	root *os.Root
}

// openDirectory opens an app's directory.
func openDirectory(path string, confined bool) (*directory, error) {
	d := &directory{path: path}
	if confined {
		var err error
		if d.root, err = os.OpenRoot(path); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *directory) close() {
	if d.root != nil {
		d.root.Close()
	}
}

// empty says whether there is nothing in it.
func (d *directory) empty() (bool, error) {
	f, err := os.OpenFile(d.path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	_, err = f.Readdirnames(1)
	if err == io.EOF {
		return true, nil
	}
	return false, err
}

// Open is for package fs, which calls ReadFile and Stat instead.
func (d *directory) Open(name string) (fs.File, error) { return d.open(name) }

func (d *directory) open(name string) (*os.File, error) {
	const flags = os.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if d.root != nil {
		return d.root.OpenFile(name, flags, 0)
	}
	return os.OpenFile(filepath.Join(d.path, name), flags, 0)
}

// ReadFile returns the first maxLook bytes of a file.
func (d *directory) ReadFile(name string) ([]byte, error) {
	// A device's open may do something; what is no file is not opened.
	if fi, err := d.Stat(name); err != nil {
		return nil, err
	} else if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := d.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil {
		return nil, err
	} else if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	return io.ReadAll(io.LimitReader(f, maxLook))
}

// Stat follows symlinks.
func (d *directory) Stat(name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrInvalid}
	}
	if d.root != nil {
		return d.root.Stat(name)
	}
	return os.Stat(filepath.Join(d.path, name))
}
