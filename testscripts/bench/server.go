package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startLimit = 60 * time.Second // for a server to answer with all its processes
	stopLimit  = 10 * time.Second // from SIGTERM to SIGKILL
)

// A command is what to execute: an environment and a working directory that
// are not the default ones, and the words.
type command struct {
	args []string
	env  []string
	dir  string
}

// A server is one that runs.
type server struct {
	name   string
	url    string // without a slash at its end; empty for one without a port
	cmd    *exec.Cmd
	log    string
	mark   string // in the environment of all its processes
	exited chan struct{}
	empty  cost  // before the first connection, see memoryOf
	read   int64 // bytes of its access log that were read
}

// start executes the command in a session of its own: the kernel shares the CPU
// out by sessions (autogroup), and wrk is in ours.
func (l *lab) start(name, dir string, c command) (*server, error) {
	s := &server{name: name, log: filepath.Join(dir, "log"), mark: "BENCH_SERVER=" + dir, exited: make(chan struct{})}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd = exec.Command(c.args[0], c.args[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.Dir = c.dir
	s.cmd.Env = append([]string{
		"PATH=" + l.bin + ":" + debianPath, "HOME=" + dir, "TMPDIR=" + dir, "LANG=C.UTF-8", s.mark,
		"RACK_ENV=production", "RAILS_ENV=production", "NODE_ENV=production",
	}, c.env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		// How it ended is in its log; that it ended is what counts.
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	return s, nil
}

// stop ends the server and whatever it started.
func (s *server) stop() {
	type process struct {
		pid   int
		start int64
	}
	var tree []process
	for _, pid := range s.pids() {
		if f := statFields(pid); f != nil {
			tree = append(tree, process{pid, f[19]})
		}
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
	select {
	case <-s.exited:
	case <-time.After(stopLimit):
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	for _, p := range tree {
		if f := statFields(p.pid); f != nil && f[19] == p.start {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
}

// pids are those of the server's processes: the one that we started and those
// that left it and fell to us, with their descendants.
func (s *server) pids() []int {
	found := map[int]bool{}
	children := childrenOf()
	for _, pid := range below(children, os.Getpid()) {
		if !found[pid] && (pid == s.cmd.Process.Pid || marked(pid, s.mark)) {
			found[pid] = true
			for _, d := range below(children, pid) {
				found[d] = true
			}
		}
	}
	return slices.Collect(maps.Keys(found))
}

// ready waits until GET / answers as wanted and, if processes is not 0, that
// many processes answer /pid.
func (s *server) ready(ctx context.Context, want string, processes int) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.check(ctx, want)
		if err == nil && processes > 0 {
			err = s.countProcesses(ctx, processes)
		}
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.exited:
			return fmt.Errorf("it ended instead of serving; it wrote:\n%s", s.tail())
		case <-ctx.Done():
			return fmt.Errorf("not ready after %v: %w; it wrote:\n%s", startLimit, err, s.tail())
		}
	}
}

// check says whether GET / answers what it should. Text that ends with a
// newline is the whole body, other is a part of it.
func (s *server) check(ctx context.Context, want string) error {
	body, err := s.get(ctx, "/")
	if err != nil {
		return err
	}
	if body != want && (strings.HasSuffix(want, "\n") || !strings.Contains(body, want)) {
		return fmt.Errorf("it answers %q instead of %q", clip(body), want)
	}
	return nil
}

// countProcesses asks often and in parallel which process answers.
func (s *server) countProcesses(ctx context.Context, want int) error {
	var (
		mu   sync.Mutex // guards seen and errs
		seen = map[string]bool{}
		errs []error
		wg   sync.WaitGroup
	)
	for range 8 * want {
		wg.Go(func() {
			pid, err := s.get(ctx, "/pid")
			mu.Lock()
			defer mu.Unlock()
			seen[pid] = true
			errs = append(errs, err)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if len(seen) != want {
		return fmt.Errorf("it answers with %d processes instead of %d", len(seen), want)
	}
	return nil
}

// client opens a connection per request, so that every process of a server
// that shares its port gets some.
var client = http.Client{
	Timeout:   startLimit,
	Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DialContext: (&net.Dialer{}).DialContext},
}

func (s *server) get(ctx context.Context, path string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", s.url+path, nil)
	if err != nil {
		return "", err
	}
	reply, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return "", err
	}
	if reply.StatusCode != http.StatusOK {
		return "", fmt.Errorf("it answers GET %s with %s: %q", path, reply.Status, clip(string(body)))
	}
	return string(body), nil
}

// tail is the end of what the server wrote.
func (s *server) tail() []byte {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(b[max(0, len(b)-2000):])
}

func clip(text string) string { return text[:min(len(text), 200)] }
