// Command image writes container images without a container engine: an OCI layout,
// or a docker-archive, which "docker load" and "ctr images import" read.
//
//	go run ./lib/dist/image --name NAME --kind KIND --version VERSION --arch ARCH \
//		--created SECONDS [--base BASE.tar] --programs DIR [--oci DIR] [--archive FILE]
//
// It reads the file system of a base as a tar file and adds a layer with the programs.
// Images of the same input are the same to the byte. build.sh calls it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	var f flags
	flag.StringVar(&f.name, "name", "", "the image's `NAME`, with its tag")
	flag.StringVar(&f.kind, "kind", "", "what it runs: programs, ruby, python or node")
	flag.StringVar(&f.version, "version", "", "the `VERSION` of the programs")
	flag.StringVar(&f.arch, "arch", "amd64", "the architecture, as Go calls it")
	flag.StringVar(&f.base, "base", "", "a tar `FILE` with the file system below the programs")
	flag.Int64Var(&f.created, "created", 0, "when it was made, in `SECONDS` of Unix")
	flag.StringVar(&f.programs, "programs", "", "the `DIR` with the programs")
	flag.StringVar(&f.oci, "oci", "", "add the image to the OCI layout in `DIR`")
	flag.StringVar(&f.archive, "archive", "", "write the image to `FILE` as a docker-archive")
	flag.Parse()
	if err := f.run(); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

type flags struct {
	name, kind, version, arch, base, programs, oci, archive string
	created                                                 int64
}

func (f flags) run() error {
	if f.name == "" || f.programs == "" || flag.NArg() > 0 {
		return errors.New("--name and --programs are needed, and no arguments")
	}
	at := time.Unix(f.created, 0).UTC()
	own, err := programs(f.programs, f.kind, at)
	if err != nil {
		return err
	}
	layers := []layer{own}
	if f.base != "" {
		base, err := fromFile(f.base)
		if err != nil {
			return err
		}
		layers = []layer{base, own}
	}
	i, err := newImage(f, layers, at)
	if err != nil {
		return err
	}
	if f.oci != "" {
		if err := i.addTo(f.oci); err != nil {
			return fmt.Errorf("write OCI layout %s: %w", f.oci, err)
		}
	}
	if f.archive != "" {
		if err := i.archive(f.archive); err != nil {
			return fmt.Errorf("write docker-archive %s: %w", f.archive, err)
		}
	}
	return nil
}
