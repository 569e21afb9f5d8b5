package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"passenger/lib/account"
	"passenger/lib/cli"
	"passenger/lib/control"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/proxy/buffering"
	"passenger/lib/proxy/certificate"
	"passenger/lib/proxy/forwarded"
	"passenger/lib/proxy/listen"
	"passenger/lib/statedir"
)

// serviceUser is whom the units of the packages run the proxy as.
const serviceUser = "passenger"

type checkCommand struct {
	cli.Check
	Files []string `arg:"" optional:"" name:"file" help:"Check the variables in this environment file instead of flags. Default without any flag: /etc/default/passenger, if it is there."`
	serveCommand
}

// Run tells all that is wrong with the flags of a proxy, or with the variables of
// one that is a service, and serves no one.
func (c *checkCommand) Run(parsed *kong.Context, cmd *command) error {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // what a proxy would log is told here
	given := slices.ContainsFunc(parsed.Path, func(p *kong.Path) bool {
		return p.Flag != nil && p.Flag.Name != "json" && p.Flag.Name != "state-dir" && p.Flag.Name != "verbose"
	})
	switch _, err := os.Stat(cli.EnvironmentFile); {
	case given && len(c.Files) > 0:
		return usage("check takes flags or files, not both")
	case !given && len(c.Files) == 0 && err == nil:
		c.Files = []string{cli.EnvironmentFile}
	case len(c.Files) == 0:
		if len(c.Listen) == 0 {
			c.Listen = []string{":3000"}
		}
		return c.Report(findings("", append(c.wrong(), c.deaf(cmd.StatePath())...)))
	}
	var found []cli.Finding
	for _, path := range c.Files {
		more, err := checkService(path)
		if err != nil {
			return fmt.Errorf("cannot check: %w", err)
		}
		found = append(found, more...)
	}
	return c.Report(found)
}

// checkService checks what a proxy would be whose unit takes its variables from
// the file. What it reads is read as the service's user, if this is root.
func checkService(path string) ([]cli.Finding, error) {
	service := &command{}
	found, err := cli.ReadEnvironmentFile(program, service, path)
	if err != nil {
		return nil, err
	}
	c := &service.Serve
	var wrong []error
	look := func() error { wrong = c.wrong(); return nil }
	if u, err := account.System.User(serviceUser); err == nil && os.Geteuid() == 0 {
		groups, err := account.System.GroupsOf(u, u.GID)
		if err == nil {
			err = proc.User{UID: u.UID, GID: u.GID, Groups: groups}.Do(look)
		}
		if err != nil {
			return nil, err
		}
	} else {
		_ = look()
	}
	dir := service.StateDir
	if dir == "" {
		dir = statedir.Default()
	}
	return append(found, findings(path, append(wrong, c.deaf(dir)...))...), nil
}

// findings are errors that a file leads to, or the command line if it is empty.
func findings(file string, list []error) []cli.Finding {
	var found []cli.Finding
	for _, err := range list {
		f := cli.FindingOf(err)
		f.File = file
		// The unit may listen at ports that its user may not.
		f.Warning = file != "" && os.Geteuid() != 0 && errors.Is(err, syscall.EACCES)
		found = append(found, f)
	}
	return found
}

// wrong is all that is wrong with the flags and with the files that they name.
func (c *serveCommand) wrong() (list []error) {
	refuse := func(err error) {
		if err != nil {
			list = append(list, err)
		}
	}
	refuse(c.readSockets())
	list = append(list, c.contradictions()...)
	refuse(c.checkBodies())
	refuse(c.checkTimes())
	_, err := forwarded.ParseNetworks(c.TrustedProxy)
	if err != nil {
		refuse(usage("--trusted-proxy: %w", err))
	}
	_, err = c.trustedPeers()
	refuse(err)
	if err := c.checkTLS(); err != nil {
		refuse(err)
	} else if len(c.Certificate) > 0 {
		_, err := certificate.Load(c.pairs(), nil)
		refuse(err)
	}
	_, err = c.acmeFlags.config()
	refuse(err)
	refuse(checkPort("--admin-listen", c.Admin))
	refuse(checkPort("--agent-listen", c.Agent))
	_, err = c.secureHeaders(statedir.At(""))
	refuse(err)
	_, err = c.Group()
	refuse(err)
	if c.AccessLogFile != "" {
		refuse(appendable(c.AccessLogFile))
	}
	return list
}

// appendable says why a log could not be opened, and makes none.
func appendable(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if f, err = os.CreateTemp(filepath.Dir(path), ".passenger-*"); err == nil {
			defer os.Remove(f.Name())
		}
	}
	if err != nil {
		return fmt.Errorf("cannot open the access log: %w", err)
	}
	return f.Close()
}

// askTime is how long the proxy that runs may take to say where it listens.
const askTime = 2 * time.Second

// deaf says at which addresses a proxy could not listen. Those of the proxy that
// runs in the state directory are its successor's.
func (c *serveCommand) deaf(dir string) (list []error) {
	var info protocol.Info
	ours := func(address string) bool {
		if info.PID == 0 {
			ctx, cancel := context.WithTimeout(context.Background(), askTime)
			defer cancel()
			// One that cannot be asked has none of these, so far as we know.
			_ = control.NewClient(statedir.At(dir).Socket(statedir.Proxy), program, cli.Release).Call(ctx, "GET", protocol.PathInfo, nil, &info)
		}
		return slices.Contains(append([]string{info.AdminListen, info.AgentListen}, info.Listen...), address)
	}
	for _, address := range append(c.portFlags.addresses(), c.Listen...) {
		l, err := listen.At(address, listen.SocketFile{})
		if errors.Is(err, syscall.EADDRINUSE) && ours(address) {
			continue
		}
		if err == nil {
			err = l.Close()
		}
		if err != nil {
			list = append(list, listenError(address, err))
		}
	}
	return list
}

// check refuses what contradictions and checkBodies find.
func (c *serveCommand) check() error {
	if wrong := c.contradictions(); len(wrong) > 0 {
		return wrong[0]
	}
	return c.checkBodies()
}

// contradictions are flags that would do nothing.
func (c *serveCommand) contradictions() (list []error) {
	if c.AccessLogFile != "" && c.AccessLog == "none" {
		list = append(list, usage("--access-log-file means nothing without --access-log=common, combined or json"))
	}
	if min(c.DataBuffer, c.DataBufferApp, c.DataBufferConn) < 0 {
		list = append(list, usage("--data-buffer-size and its like are 0, for no limit, or more"))
	}
	if c.ProxyProtocol && len(c.TrustedProxy) == 0 && !slices.ContainsFunc(c.Listen, mayBeUnix) {
		list = append(list, usage("--proxy-protocol means nothing without a --trusted-proxy to believe it from"))
	}
	return list
}

// checkBodies refuses a directory for bodies in which none can be kept. The
// system's own is only warned of: most requests need none.
func (c *serveCommand) checkBodies() error {
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
