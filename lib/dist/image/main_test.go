package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestImagesRepeat: the same input makes the same image, to the byte, and an image that
// is added once more takes its own place.
func TestImagesRepeat(t *testing.T) {
	t.Parallel()
	f := sample(t, "ruby")
	for range 2 {
		if err := f.run(); err != nil {
			t.Fatal(err)
		}
	}
	again := sample(t, "ruby")
	if err := again.run(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, f.archive), read(t, again.archive)) {
		t.Error("the same programs make two archives")
	}
	if diff := cmp.Diff(string(read(t, filepath.Join(f.oci, "index.json"))), string(read(t, filepath.Join(again.oci, "index.json")))); diff != "" {
		t.Errorf("the same programs make two layouts:\n%s", diff)
	}
}

// TestConfig compares an image's configuration with the golden file.
func TestConfig(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"programs", "ruby"} {
		f := sample(t, kind)
		if err := f.run(); err != nil {
			t.Fatal(err)
		}
		var all []archived
		files := untar(t, read(t, f.archive))
		decode(t, files["manifest.json"], &all)
		if len(all) != 1 || !slices.Equal(all[0].RepoTags, []string{"localhost/passenger:" + kind}) {
			t.Fatalf("manifest.json: got %+v", all)
		}
		var got bytes.Buffer
		if err := json.Indent(&got, files[all[0].Config], "", "  "); err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", kind+".json")
		if *update {
			if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(string(read(t, golden)), got.String()); diff != "" {
			t.Errorf("%s (-golden +got):\n%s", kind, diff)
		}
	}
}

// TestLayout: every digest in an OCI layout is that of the blob, and its layers are
// those that the configuration names.
func TestLayout(t *testing.T) {
	t.Parallel()
	f := sample(t, "ruby")
	if err := f.run(); err != nil {
		t.Fatal(err)
	}
	var all index
	decode(t, read(t, filepath.Join(f.oci, "index.json")), &all)
	if len(all.Manifests) != 1 || all.Manifests[0].Annotations[refName] != "ruby" {
		t.Fatalf("got %+v, want one image, ruby", all.Manifests)
	}
	var m manifest
	decode(t, blob(t, f.oci, all.Manifests[0]), &m)
	var c config
	decode(t, blob(t, f.oci, m.Config), &c)
	if len(m.Layers) != 2 || len(c.RootFS.DiffIDs) != 2 {
		t.Fatalf("got %d layers and %d names of them, want 2", len(m.Layers), len(c.RootFS.DiffIDs))
	}
	for n, d := range m.Layers {
		zip, err := gzip.NewReader(bytes.NewReader(blob(t, f.oci, d)))
		if err != nil {
			t.Fatal(err)
		}
		l, err := measured(func() (io.ReadCloser, error) { return zip, nil })
		if err != nil || l.digest != c.RootFS.DiffIDs[n] {
			t.Errorf("layer %d: got %s (%v), want %s", n, l.digest, err, c.RootFS.DiffIDs[n])
		}
	}
}

// TestPrograms: all may run the programs, and any user may make a state directory.
func TestPrograms(t *testing.T) {
	t.Parallel()
	f := sample(t, "ruby")
	l, err := programs(f.programs, "ruby", time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	modes := map[string]int64{}
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 {
			t.Errorf("%s belongs to %d:%d, want 0:0", h.Name, h.Uid, h.Gid)
		}
		modes[h.Name] = h.Mode
	}
	want := map[string]int64{"usr/": 0o755, "usr/bin/": 0o755, "usr/bin/passenger": 0o755, "usr/bin/passenger-proxy": 0o755, "app/": 0o755, "run/passenger/": 0o1777}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
	if err := os.WriteFile(filepath.Join(f.programs, "sudo"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := programs(f.programs, "ruby", time.Unix(0, 0)); err == nil || !strings.Contains(err.Error(), "none of the programs") {
		t.Errorf("got %v for a stranger among the programs", err)
	}
}

// sample is the command line for an image of two small programs.
func sample(t *testing.T, kind string) flags {
	t.Helper()
	dir := t.TempDir()
	f := flags{name: "localhost/passenger:" + kind, kind: kind, version: "1.2.3", arch: "amd64", programs: filepath.Join(dir, "programs"),
		oci: filepath.Join(dir, "oci"), archive: filepath.Join(dir, "passenger.tar")}
	if err := os.Mkdir(f.programs, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"passenger", "passenger-proxy"} {
		if err := os.WriteFile(filepath.Join(f.programs, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if kind != "programs" {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := errors.Join(addFile(w, "etc/debian_version", time.Unix(0, 0), 3, strings.NewReader("13\n")), w.Close()); err != nil {
			t.Fatal(err)
		}
		f.base = filepath.Join(dir, "base.tar")
		if err := os.WriteFile(f.base, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
}

// blob is what a descriptor names, whose digest and size it checks.
func blob(t *testing.T, dir string, d descriptor) []byte {
	t.Helper()
	b := read(t, blobPath(filepath.Join(dir, "blobs", "sha256"), d.Digest))
	l, err := measured(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil })
	if err != nil || l.digest != d.Digest || l.size != d.Size {
		t.Errorf("blob: got %s of %d bytes (%v), want %s of %d", l.digest, l.size, err, d.Digest, d.Size)
	}
	return b
}

func untar(t *testing.T, b []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for in := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
}
