package main

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"passenger/lib/cli"
	"passenger/lib/proxy/buffering"
	"passenger/lib/proxy/listen"
)

type checkCommand struct {
	Listen []string `short:"l" required:"" placeholder:"ADDR" help:"The address, as for serve. May be repeated."`
}

// Run listens at each address, and gives it up again.
func (c *checkCommand) Run() error {
	for _, address := range c.Listen {
		l, err := listen.At(address, listen.SocketFile{})
		if err != nil {
			return listenError(address, err)
		}
		if err := l.Close(); err != nil {
			return fmt.Errorf("cannot give up %q: %w", address, err)
		}
	}
	return nil
}

// check refuses flags that would do nothing, and a directory for bodies in
// which none can be kept. The system's own is only warned of: most requests
// need none.
func (c *serveCommand) check() error {
	if c.AccessLogFile != "" && c.AccessLog == "none" {
		return usage("--access-log-file means nothing without --access-log=common, combined or json")
	}
	if min(c.DataBuffer, c.DataBufferApp, c.DataBufferConn) < 0 {
		return usage("--data-buffer-size and its like are 0, for no limit, or more")
	}
	if c.ProxyProtocol && len(c.TrustedProxy) == 0 && !slices.ContainsFunc(c.Listen, mayBeUnix) {
		return usage("--proxy-protocol means nothing without a --trusted-proxy to believe it from")
	}
	err := buffering.CheckDir(c.DataBufferDir)
	switch {
	case err != nil && c.DataBufferDir == "":
		slog.Warn("long bodies cannot be kept on disk; name a directory with --data-buffer-dir", "err", err)
	case err != nil:
		return cli.Hint(fmt.Errorf("cannot keep bodies in --data-buffer-dir: %w", err), "make the directory, for the proxy's user to write to")
	}
	return nil
}

// mayBeUnix says that clients at an address may be trusted by themselves.
func mayBeUnix(address string) bool {
	address = strings.TrimPrefix(address, "tls:")
	return strings.HasPrefix(address, "unix:") || strings.HasPrefix(address, "fd:")
}
