package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"passenger/lib/account"
	"passenger/lib/cli"
	"passenger/lib/control"
	"passenger/lib/proxy/fronted"
	"passenger/lib/statedir"
)

type secureHeaderFlags struct {
	HeadersGroup    string `name:"secure-headers-group" placeholder:"GROUP" help:"Let members of this group connect to secure-headers: addresses too."`
	HeadersPassword string `name:"secure-headers-password" placeholder:"FILE" help:"Secure headers are a block that begins with the password in this file."`
	KnownAppsOnly   bool   `help:"Secure headers choose among the apps that the pool has, and add none."`
}

// secureHeaders says how secure headers are used, and checks the flags for it.
func (c *serveCommand) secureHeaders(dir statedir.Dir) (h fronted.Config, err error) {
	f := &c.secureHeaderFlags
	if !slices.ContainsFunc(c.Listen, takesHeaders) {
		if *f != (secureHeaderFlags{}) {
			return h, usage("--secure-headers-group, --secure-headers-password and --known-apps-only mean nothing without a secure-headers: address")
		}
		return h, nil
	}
	if !f.KnownAppsOnly {
		h.Pool = control.NewClient(dir.Socket(statedir.Pool), program, cli.Release)
	}
	if f.HeadersPassword != "" {
		h.Password, err = readPassword(f.HeadersPassword)
	}
	return h, err
}

func takesHeaders(address string) bool { return strings.HasPrefix(address, "secure-headers:") }

// readPassword reads the password in a file that not every user may read.
func readPassword(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the password of secure headers: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		err := fmt.Errorf("the password of secure headers in %s may be read by every user (%v)", path, info.Mode())
		return "", cli.Hint(err, "chmod o= %s", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the password of secure headers: %w", err)
	}
	if b = bytes.TrimSpace(b); len(b) == 0 {
		return "", fmt.Errorf("the password of secure headers in %s is empty", path)
	}
	return string(b), nil
}

// letGroupIn gives the sockets of secure-headers: addresses to the group, if
// one is named. Until then they are for our own user alone.
func (c *serveCommand) letGroupIn() error {
	if c.HeadersGroup == "" {
		return nil
	}
	group, err := account.System.Group(c.HeadersGroup)
	if err != nil {
		return fmt.Errorf("--secure-headers-group: %w", err)
	}
	for _, address := range c.Listen {
		if !takesHeaders(address) {
			continue
		}
		path := filepath.Clean(strings.TrimPrefix(address, "secure-headers:unix:"))
		if err := errors.Join(os.Lchown(path, -1, group.GID), os.Chmod(path, 0o660)); err != nil {
			err = fmt.Errorf("cannot let group %q connect: %w", c.HeadersGroup, err)
			return cli.Hint(err, "only root, or a member of the group, can give it a file")
		}
	}
	return nil
}
