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
	"regexp"
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
//	check-stack APPDIR [app=NAME] [csrf] [websocket=PATH|cable=PATH] [preloads] [visitor=FILE] [path=PATH] [https] [KEY=VALUE…]
//
// NAME is what the page says; the default is the directory's name. An app that
// does not do what those in apps/ do has a visitor; see there. While its
// processes are replaced clients GET PATH, as if over HTTPS if it wants that.
func cmdCheckStack(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: check-stack APPDIR [app=NAME] [csrf] [websocket=PATH|cable=PATH] [preloads] [visitor=FILE] [path=PATH] [https] [KEY=VALUE…]")
	}
	s := newStack(ts, args)
	checks := []stackCheck{
		{"start", func() error { cmdServe(ts, false, s.serve); _, err := s.awaitReady(); return err }},
		{"page", s.page}, {"form", s.form}, {"upload", s.upload}, {"stream", s.stream},
		{"websocket", nil}, {"preload", nil}, {"restart", s.restart}, {"stop", s.stop},
	}
	if s.csrf {
		checks[2].check = s.checkCSRF
	}
	if s.websocket != "" {
		checks[5].check = s.webSocket
	}
	if s.preloads {
		checks[6].check = s.preloaded
	}
	if s.visitor != nil {
		for i := 1; i <= 5; i++ {
			checks[i].check = func() error { return s.visitor.visit(checks[i].name) }
		}
	}
	ts.Check(runChecks(filepath.Base(strings.TrimSuffix(ts.Name(), ".txtar")), checks))
}

// newStack reads the arguments of check-stack.
func newStack(ts *testscript.TestScript, args []string) *stack {
	dir := args[0]
	s := &stack{world: worldOf(ts), name: filepath.Base(dir), says: filepath.Base(dir), path: "/", serve: []string{dir}}
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "app":
			s.says = value
		case "csrf":
			s.csrf = true
		case "preloads":
			s.preloads = true
		case "websocket":
			s.websocket, s.message = value, "hello"
		case "cable": // the EchoChannel of Action Cable, which says what it is asked to
			s.websocket, s.message = value, `{"command":"subscribe","identifier":"{\"channel\":\"EchoChannel\",\"text\":\"hello\"}"}`
		case "path":
			s.path = value
		case "https":
			s.header = http.Header{"X-Forwarded-Proto": {"https"}}
		case "visitor":
			s.visitor = &visitor{ts.MkAbs(value), s.web()}
		case "name":
			s.name = value
			fallthrough
		default:
			s.serve = append(s.serve, "--set", arg)
		}
	}
	return s
}

// runChecks makes the checks and their row. Without a start there is nothing to
// look at.
func runChecks(name string, checks []stackCheck) error {
	_, name, _ = strings.Cut(name, "_")
	row := []string{name}
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
		if errors.Is(err, errNothingToDo) {
			row = append(row, "-")
			continue
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
	name      string
	serve     []string // the arguments of the command serve
	says      string   // on its page
	csrf      bool     // its form has a token
	websocket string   // the path of its WebSocket, if it has one
	message   string   // to which it answers with hello
	preloads  bool
	visitor   *visitor
	path      string      // what the clients ask for while processes are replaced
	header    http.Header // that they send
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

// webSocket wants hello back.
func (s *stack) webSocket() error {
	c, err := net.Dial("unix", s.web())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(waitBound)); err != nil {
		return err
	}
	// A text frame masked with zeros, so that its text can be read in what comes back.
	_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: actioncable-v1-json\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81%s\x00\x00\x00\x00%s", s.websocket, []byte{0x80 | byte(len(s.message))}, s.message)
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
	for got := ""; !helloEnd.MatchString(got); {
		b, err := in.ReadByte()
		if err != nil {
			return fmt.Errorf("got %q, want hello back: %w", got, err)
		}
		got += string(rune(b))
	}
	return nil
}

// helloEnd is a frame that says hello, as it is or as a message of Action Cable.
var helloEnd = regexp.MustCompile(`(hello|"message":"hello"\})$`)

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

// restart replaces the processes while clients ask and a visitor works, and
// wants every request answered and all of the work done.
func (s *stack) restart() error {
	l := &load{header: s.header, stopped: make(chan struct{})}
	s.loads["stack"] = l
	for range 2 {
		l.clients.Go(func() { l.run(s.world, s.path) })
	}
	if err := l.await(2); err != nil {
		return err
	}
	worked := make(chan error, 1)
	go func() { worked <- s.visitor.visit("work") }()
	err := s.restartOnce()
	for done := false; err == nil && !done; {
		select {
		case err = <-worked:
			done = true
		default:
			err = s.restartOnce()
		}
	}
	if err == nil {
		err = l.await(l.good.Load() + 20)
	}
	l.stop()
	if len(l.failed) > 0 {
		err = errors.Join(err, fmt.Errorf("%d requests failed, %d did not; the first: %s", len(l.failed), l.good.Load(), l.failed[0]))
	}
	return err
}

func (s *stack) restartOnce() error {
	return s.client(statedir.Pool).Call(context.Background(), http.MethodPost, protocol.PathApps+"/"+s.name+"/restart", protocol.RestartRequest{Wait: true}, nil)
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
