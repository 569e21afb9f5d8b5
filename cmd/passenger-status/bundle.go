package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"passenger/lib/cli"
	"passenger/lib/status/bundle"
)

type bundleCommand struct {
	File string `arg:"" optional:"" help:"The tar to write, - for standard output. Default: passenger-TIME.tar in the working directory."`
}

// Run writes what a bug report needs, and says first what that is.
func (b *bundleCommand) Run(ctx context.Context, c *command) error {
	dir, err := c.once("bundle")
	if err != nil {
		return err
	}
	if _, _, err := c.ask(ctx, dir); err != nil {
		return err
	}
	files, err := bundle.Gather(ctx, caller, dir)
	if err != nil {
		return fmt.Errorf("cannot look: %w", err)
	}
	now := time.Now()
	name := "passenger-" + now.UTC().Format("20060102-150405")
	list := io.Writer(os.Stdout)
	if b.File == "-" {
		list = os.Stderr
	}
	if _, err := fmt.Fprintf(list, "%swithout the values of secrets that are known; look at it before you send it\n", bundle.List(files)); err != nil {
		return err
	}
	if b.File == "-" {
		return bundle.Write(os.Stdout, files, name, now)
	}
	if b.File == "" {
		b.File = name + ".tar"
	}
	if err := writeTar(b.File, files, strings.TrimSuffix(name, ".tar"), now); err != nil {
		return cli.Hint(fmt.Errorf("cannot write the bundle: %w", err), "name a file that is not there yet, or - for standard output")
	}
	return write("written to " + b.File + "\n")
}

// writeTar makes the file, which only its owner may read.
func writeTar(path string, files []bundle.File, directory string, at time.Time) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	err = bundle.Write(w, files, directory, at)
	if err = errors.Join(err, w.Flush(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
