package testscripts

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// A stackCheck is a column of the table that testscripts/distros prints.
type stackCheck struct {
	name  string
	check func() error // nil for what the app does not have
}

// cmdCheckStack serves an app without settings but those given, and goes
// through what users do with it: start, page, form, upload, stream, WebSocket,
// preload, restart under load, stop. It adds a row to the file named by
// $PASSENGER_TEST_TABLE, and goes on after a failure, so that the row is whole:
//
//	check-stack APPDIR [app=NAME] [csrf] [websocket=PATH] [preloads] [KEY=VALUE…]
//
// NAME is what the page says; the default is the directory's name.
func cmdCheckStack(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: check-stack APPDIR [app=NAME] [csrf] [websocket=PATH] [preloads] [KEY=VALUE…]")
	}
	w := worldOf(ts)
	dir := args[0]
	says, name, websocket := filepath.Base(dir), filepath.Base(dir), ""
	csrf, preloads := false, false
	serve := []string{dir}
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "app":
			says = value
		case "csrf":
			csrf = true
		case "preloads":
			preloads = true
		case "websocket":
			websocket = value
		case "name":
			name = value
			fallthrough
		default:
			serve = append(serve, "--set", arg)
		}
	}
	s := &stack{w, name, says}
	checks := []stackCheck{
		{"start", func() error { cmdServe(ts, false, serve); _, err := s.awaitReady(); return err }},
		{"page", s.page}, {"form", s.form}, {"upload", s.upload}, {"stream", s.stream},
		{"websocket", nil}, {"preload", nil}, {"restart", s.restart}, {"stop", s.stop},
	}
	if csrf {
		checks[2].check = w.checkCSRF
	}
	if websocket != "" {
		checks[5].check = func() error { return s.webSocket(websocket) }
	}
	if preloads {
		checks[6].check = s.preloaded
	}
	ts.Check(runChecks(filepath.Base(strings.TrimSuffix(ts.Name(), ".txtar")), checks))
}

// runChecks makes the checks and their row. Without a start there is nothing to
// look at.
func runChecks(name string, checks []stackCheck) error {
	row := []string{strings.TrimPrefix(name, "stack_")}
	var failed error
	for i, c := range checks {
		if c.check == nil {
			row = append(row, "-")
			continue
		}
		err := errors.New("it did not start")
		if i == 0 || row[1] == "yes" {
			err = c.check()
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", c.name, err))
			row = append(row, "NO")
			continue
		}
		row = append(row, "yes")
	}
	return errors.Join(failed, addRow(row))
}

func addRow(row []string) error {
	path := os.Getenv("PASSENGER_TEST_TABLE")
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, strings.Join(row, " ")) // one write a row: others append too
	return errors.Join(err, f.Close())
}

// A stack is an app that is served.
type stack struct {
	*world
	name string
	says string // on its page
}

func (s *stack) awaitReady() (pids []int, err error) {
	err = eventually("processes of "+s.name, func() (err error) {
		pids, err = s.readyPIDs(s.name, 1)
		return err
	})
	return pids, err
}

func (s *stack) page() error {
	_, err := s.world.check(&request{method: "GET", path: "/", expect: []func(*response) error{bodyMatches("(?i)Hello from " + s.says)}})
	return err
}

func (s *stack) form() error {
	_, err := s.world.check(&request{method: "POST", path: "/form", header: formHeader(), body: form("name", "Zoë & co"),
		expect: []func(*response) error{bodyIs("name=Zoë & co")}})
	return err
}

func (s *stack) upload() error {
	file := upload()
	_, err := s.world.check(&request{method: "POST", path: "/upload", header: http.Header{"Content-Type": {"application/octet-stream"}}, body: file,
		expect: []func(*response) error{bodyMatches("^" + digest(file) + `\s*$`)}})
	return err
}

func (s *stack) stream() error {
	_, err := s.world.check(&request{method: "GET", path: "/stream", expect: []func(*response) error{hasSHA256(digest(streamed())), hasNoLength}})
	return err
}

// webSocket wants a message back.
func (s *stack) webSocket(path string) error {
	c, err := net.Dial("unix", s.web())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(waitBound)); err != nil {
		return err
	}
	// A text frame masked with zeros, so that its text can be read in what comes back.
	_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x85\x00\x00\x00\x00hello", path)
	if err != nil {
		return err
	}
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("got status %d, want 101", resp.StatusCode)
	}
	for line := ""; !strings.HasSuffix(line, "hello"); {
		b, err := in.ReadByte()
		if err != nil {
			return fmt.Errorf("got %q, want its message back: %w", line, err)
		}
		line += string(rune(b))
	}
	return nil
}

func (s *stack) preloaded() error {
	var list protocol.ProcessList
	if err := s.client(statedir.Spawn).Call(context.Background(), http.MethodGet, protocol.PathProcesses, nil, &list); err != nil {
		return err
	}
	for _, p := range list.Processes {
		if p.App == s.name && p.State == protocol.Ready && p.Preloader == "" {
			return fmt.Errorf("process %d was not forked from a preloader", p.PID)
		}
	}
	return nil
}

// restart replaces the processes while clients ask, and wants every request
// answered.
func (s *stack) restart() error {
	l := &load{stopped: make(chan struct{})}
	s.loads["stack"] = l
	for range 2 {
		l.clients.Go(func() { l.run(s.world, "/") })
	}
	if err := l.await(2); err != nil {
		return err
	}
	err := s.client(statedir.Pool).Call(context.Background(), http.MethodPost, protocol.PathApps+"/"+s.name+"/restart", protocol.RestartRequest{Wait: true}, nil)
	if err == nil {
		err = l.await(l.good.Load() + 20)
	}
	l.stop()
	if len(l.failed) > 0 {
		err = errors.Join(err, fmt.Errorf("%d requests failed, %d did not; the first: %s", len(l.failed), l.good.Load(), l.failed[0]))
	}
	return err
}

// stop stops everything in the order in which requests pass, and wants nothing
// to be left.
func (s *stack) stop() error {
	pids, err := s.awaitReady()
	if err != nil {
		return err
	}
	for _, name := range []string{statedir.Proxy, statedir.Pool, statedir.Spawn} {
		d := s.daemons[name]
		if err := errors.Join(s.signal("TERM", name), d.await()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if status := d.cmd.ProcessState.ExitCode(); status != 0 {
			return fmt.Errorf("%s exited with status %d", name, status)
		}
	}
	for _, pid := range pids {
		if syscall.Kill(pid, 0) == nil {
			return fmt.Errorf("process %d runs", pid)
		}
	}
	return nil
}
