package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A layer is a part of a file system, as a tar file.
type layer struct {
	size   int64
	digest string // of the tar file: "sha256:" and 64 hexadecimal digits
	open   func() (io.ReadCloser, error)
}

// fromFile is the layer that a tar file is.
func fromFile(path string) (layer, error) {
	return measured(func() (io.ReadCloser, error) { return os.Open(path) })
}

func measured(open func() (io.ReadCloser, error)) (layer, error) {
	r, err := open()
	if err != nil {
		return layer{}, err
	}
	defer r.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, r)
	return layer{n, digest(sum.Sum(nil)), open}, err
}

func digest(sum []byte) string { return "sha256:" + hex.EncodeToString(sum) }

// compressed writes the layer by gzip and returns the digest and size of that.
func (l layer) compressed(w io.Writer) (string, int64, error) {
	r, err := l.open()
	if err != nil {
		return "", 0, err
	}
	defer r.Close()
	sum, n := sha256.New(), new(counter)
	zip := gzip.NewWriter(io.MultiWriter(w, sum, n))
	if _, err := io.Copy(zip, r); err != nil {
		return "", 0, err
	}
	if err := zip.Close(); err != nil {
		return "", 0, err
	}
	return digest(sum.Sum(nil)), int64(*n), nil
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// directories of an image that runs apps. Any user may make a state directory,
// which is then that user's alone, and a file for the body of a request.
var directories = []tar.Header{
	{Name: "app/", Mode: 0o755},
	{Name: "run/passenger/", Mode: 0o1777},
}

// programs is the layer with the programs in a directory, which all may run. An image
// of kind "programs" has nothing else: others copy them out of it.
func programs(dir, kind string, at time.Time) (layer, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return layer{}, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	// Directories that a base has already stand here as they are there.
	for _, d := range []string{"usr/", "usr/bin/"} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: d, Mode: 0o755, ModTime: at}); err != nil {
			return layer{}, err
		}
	}
	for _, e := range entries { // in the order of their names
		if !strings.HasPrefix(e.Name(), "passenger") || e.IsDir() {
			return layer{}, fmt.Errorf("%s is none of the programs", filepath.Join(dir, e.Name()))
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return layer{}, err
		}
		if err := w.WriteHeader(&tar.Header{Name: "usr/bin/" + e.Name(), Mode: 0o755, Size: int64(len(text)), ModTime: at}); err != nil {
			return layer{}, err
		}
		if _, err := w.Write(text); err != nil {
			return layer{}, err
		}
	}
	if kind != "programs" {
		for _, d := range directories {
			d.Typeflag, d.ModTime = tar.TypeDir, at
			if err := w.WriteHeader(&d); err != nil {
				return layer{}, err
			}
		}
	}
	if err := w.Close(); err != nil {
		return layer{}, err
	}
	return measured(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
}
