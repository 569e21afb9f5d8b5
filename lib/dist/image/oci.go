package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/natefinch/atomic"
)

const (
	mediaManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaIndex    = "application/vnd.oci.image.index.v1+json"
	mediaConfig   = "application/vnd.oci.image.config.v1+json"
	mediaLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
	refName       = "org.opencontainers.image.ref.name"
	containerName = "io.containerd.image.name"
)

// A descriptor, a manifest and an index are those of the OCI image specification.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

// addTo adds the image to the OCI layout in a directory, which it makes if there is
// none, in place of one of the same name and architecture.
func (i image) addTo(dir string) error {
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return err
	}
	m := manifest{SchemaVersion: 2, MediaType: mediaManifest}
	for _, l := range i.layers {
		d, err := l.addTo(blobs)
		if err != nil {
			return err
		}
		m.Layers = append(m.Layers, d)
	}
	var err error
	if m.Config, err = addBlob(blobs, mediaConfig, i.config); err != nil {
		return err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	d, err := addBlob(blobs, mediaManifest, text)
	if err != nil {
		return err
	}
	_, tag, _ := strings.Cut(i.name, ":")
	d.Platform = &platform{i.arch, "linux"}
	d.Annotations = map[string]string{refName: tag, containerName: i.name}
	if err := addToIndex(filepath.Join(dir, "index.json"), d); err != nil {
		return err
	}
	return write(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`))
}

// addTo writes the layer, compressed, among the blobs.
func (l layer) addTo(blobs string) (descriptor, error) {
	f, err := os.CreateTemp(blobs, ".layer")
	if err != nil {
		return descriptor{}, err
	}
	defer os.Remove(f.Name()) // in vain once it has its name
	sum, n, err := l.compressed(f)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return descriptor{}, err
	}
	return descriptor{MediaType: mediaLayer, Digest: sum, Size: n}, os.Rename(f.Name(), blobPath(blobs, sum))
}

func addBlob(blobs, media string, text []byte) (descriptor, error) {
	sum := sha256.Sum256(text)
	d := descriptor{MediaType: media, Digest: digest(sum[:]), Size: int64(len(text))}
	return d, write(blobPath(blobs, d.Digest), text)
}

func blobPath(blobs, digest string) string {
	return filepath.Join(blobs, strings.TrimPrefix(digest, "sha256:"))
}

func addToIndex(path string, d descriptor) error {
	all := index{SchemaVersion: 2, MediaType: mediaIndex}
	switch text, err := os.ReadFile(path); {
	case err == nil:
		if err := json.Unmarshal(text, &all); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	all.Manifests = slices.DeleteFunc(all.Manifests, func(e descriptor) bool {
		return e.Annotations[containerName] == d.Annotations[containerName] && e.Platform != nil && *e.Platform == *d.Platform
	})
	all.Manifests = append(all.Manifests, d)
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return write(path, text)
}

func write(path string, text []byte) error {
	if err := atomic.WriteFile(path, bytes.NewReader(text)); err != nil {
		return err
	}
	return os.Chmod(path, 0o644)
}
