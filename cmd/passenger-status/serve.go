package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"

	"passenger/lib/account"
	"passenger/lib/cli"
	"passenger/lib/statedir"
	"passenger/lib/status/web"
	"passenger/lib/systemd"
	"passenger/lib/unixsock"
)

type serveCommand struct {
	cli.LogFormat

	Listen    []string `default:"127.0.0.1:9149" placeholder:"ADDR" help:"Listen on HOST:PORT or unix:PATH (${default}). May be repeated."`
	TokenFile string   `placeholder:"FILE" help:"File with the token that callers over TCP have to know. Default: status.token in the state directory, if it is there."`
	Host      []string `placeholder:"NAME" help:"A host name that clients may use besides localhost and the machine's own. May be repeated."`
}

// gcPercent keeps the heap small, as in the pool: what runs is read anew each
// second, and none of it is kept.
const gcPercent = 25

// Run serves metrics, the JSON document and the dashboard until ctx ends. It only
// reads.
func (s *serveCommand) Run(ctx context.Context, c *command) error {
	if c.Watch || c.As != "" || c.Format != "default" {
		return &cli.Error{Err: errors.New("serve takes neither --watch nor --show nor --format"), Status: cli.Usage}
	}
	manager := systemd.Started()
	dir := statedir.At(c.StatePath())
	token, err := s.token(dir)
	if err != nil {
		return err
	}
	listeners, err := s.listeners(ctx, dir, token)
	if err != nil {
		return err
	}
	for i, name := range s.Host {
		s.Host[i] = strings.ToLower(name)
	}
	debug.SetGCPercent(gcPercent)
	slog.Info("status server started", "listen", addresses(listeners), "state_dir", dir.Path(), "token", token != "")
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var reported sync.WaitGroup
	reported.Go(func() { manager.Report(ctx, func() {}) })
	server := &web.Server{Caller: caller, Dir: dir, Token: token, Hosts: s.Host}
	err = server.Serve(ctx, listeners)
	stop()
	reported.Wait()
	if err != nil {
		return fmt.Errorf("cannot serve: %w", err)
	}
	slog.Info("status server stopped", "cause", context.Cause(ctx))
	return nil
}

// tokenFile is where the token lies unless a flag says otherwise.
func tokenFile(dir statedir.Dir) string { return filepath.Join(dir.Path(), "status.token") }

// token reads the token: the file that a flag names has to be there, the one in
// the state directory need not.
func (s *serveCommand) token(dir statedir.Dir) (web.Token, error) {
	path := s.TokenFile
	if path == "" {
		path = tokenFile(dir)
	}
	token, err := web.ReadToken(path)
	if web.Missing(err) && s.TokenFile == "" {
		return "", nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return "", cli.Hint(fmt.Errorf("cannot start: %w", err), "make it as the user that serves: run \"passenger-status token\" as user %s", account.NameOf(os.Geteuid()))
	}
	if err != nil {
		return "", cli.Hint(fmt.Errorf("cannot start: %w", err), "\"passenger-status token\" makes one in the state directory; or write one, of at least 16 characters, with mode 0600")
	}
	return token, nil
}

// mayDoWithout says why there has to be a token at an address. Over a unix socket
// the kernel tells who calls.
func mayDoWithout(ctx context.Context, dir statedir.Dir, address string, l net.Listener) error {
	if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
		return needsToken(fmt.Sprintf("%s can be reached from other machines", address))
	}
	if web.Foreign(ctx, caller, dir) {
		return needsToken("apps run as other users, and every user of this machine can reach a loopback address")
	}
	return nil
}

func needsToken(why string) error {
	return cli.Hint(fmt.Errorf("cannot start without a token: %s", why),
		"make one with \"passenger-status token\", as the user that serves, or pass --token-file; or listen on unix:PATH, where the system tells who calls")
}

// listeners listens on all addresses, or on none. Unix sockets come last: who
// sees one knows that the server may serve.
func (s *serveCommand) listeners(ctx context.Context, dir statedir.Dir, token web.Token) ([]net.Listener, error) {
	slices.SortStableFunc(s.Listen, func(a, b string) int {
		return cmp.Compare(strings.Index(a, "unix:"), strings.Index(b, "unix:"))
	})
	var listeners []net.Listener
	for _, address := range s.Listen {
		l, err := listen(address)
		if err == nil {
			listeners = append(listeners, l)
			if token == "" && l.Addr().Network() != "unix" {
				err = mayDoWithout(ctx, dir, address, l)
			}
		}
		if err != nil {
			closeAll(listeners)
			return nil, err
		}
	}
	return listeners, nil
}

// listen accepts on a unix socket whoever connects: the server tells each what
// is his.
func listen(address string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		if c, err := net.Dial("unix", path); err == nil {
			c.Close()
			return nil, cli.Hint(fmt.Errorf("cannot listen on %q: another program listens there", address), "stop it or pass another --listen")
		}
		l, err := unixsock.Listen(path, 0o666)
		if err != nil {
			return nil, fmt.Errorf("cannot listen: %w", err)
		}
		l.SetUnlinkOnClose(true)
		return l, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &cli.Error{Err: fmt.Errorf("--listen %q is no address", address), Status: cli.Usage, Hint: "it is HOST:PORT, such as 127.0.0.1:9149, or unix:PATH"}
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, cli.Hint(fmt.Errorf("cannot listen on %q: the address is in use", address), "another program listens there; stop it or pass another --listen")
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, cli.Hint(fmt.Errorf("cannot listen on %q: %w", address, syscall.EACCES), "ports below 1024 need privileges; try --listen 127.0.0.1:9149")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", address, err)
	}
	return l, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

func addresses(listeners []net.Listener) string {
	var list []string
	for _, l := range listeners {
		prefix := ""
		if l.Addr().Network() == "unix" {
			prefix = "unix:"
		}
		list = append(list, prefix+l.Addr().String())
	}
	return strings.Join(list, " ")
}

type tokenCommand struct {
	New bool `help:"Make another one in its place. Those who know the old one are let in no more once serve is started again."`
}

// Run prints the token in the state directory, and makes it if there is none.
func (t *tokenCommand) Run(_ context.Context, c *command) error {
	dir, err := c.once("token")
	if err != nil {
		return err
	}
	path := tokenFile(dir)
	if t.New {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot make another token: %w", err)
		}
	}
	token, err := web.ReadToken(path)
	if web.Missing(err) {
		token, err = web.NewToken(path)
	}
	if errors.Is(err, fs.ErrPermission) {
		return cli.Hint(err, "%s", cli.AccessHint(dir.Path()))
	}
	if err != nil {
		return err
	}
	return write(string(token) + "\n")
}
