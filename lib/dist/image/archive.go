package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// archived is an image in the manifest.json of a docker-archive.
type archived struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// archive writes the image as "docker save" does, to a file that others see once it
// is whole.
func (i image) archive(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".image")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // in vain once it has its name
	if err := errors.Join(i.writeArchive(f), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (i image) writeArchive(out io.Writer) error {
	w := tar.NewWriter(out)
	m := archived{Config: hexOf(i.configSum) + ".json", RepoTags: []string{i.name}}
	if err := addFile(w, m.Config, i.stamp, int64(len(i.config)), strings.NewReader(string(i.config))); err != nil {
		return err
	}
	for _, l := range i.layers {
		name := hexOf(l.digest) + ".tar"
		m.Layers = append(m.Layers, name)
		r, err := l.open()
		if err != nil {
			return err
		}
		if err := errors.Join(addFile(w, name, i.stamp, l.size, r), r.Close()); err != nil {
			return err
		}
	}
	text, err := json.Marshal([]archived{m})
	if err != nil {
		return err
	}
	return errors.Join(addFile(w, "manifest.json", i.stamp, int64(len(text)), strings.NewReader(string(text))), w.Close())
}

func hexOf(digest string) string { return strings.TrimPrefix(digest, "sha256:") }

func addFile(w *tar.Writer, name string, at time.Time, size int64, r io.Reader) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size, ModTime: at}); err != nil {
		return err
	}
	_, err := io.Copy(w, r)
	return err
}
