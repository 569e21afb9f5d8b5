package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"passenger/lib/proxy"
)

// shellProgram returns a shell script that writes its pid into the file that it also
// returns, and then does what body says.
func shellProgram(t *testing.T, body string) (path, pid string) {
	dir := t.TempDir()
	path, pid = filepath.Join(dir, "passenger-proxy"), filepath.Join(dir, "pid")
	text := "#!/bin/sh\necho $$ >" + pid + ".new; mv " + pid + ".new " + pid + "\n" + body + "\n"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path, pid
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no " + what)
		}
	}
}

// started waits for the pid of the successor, which leads a process group.
func started(t *testing.T, file string) (pid int) {
	t.Helper()
	await(t, "successor", func() bool {
		b, err := os.ReadFile(file)
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(string(bytes.TrimSpace(b)))
		return err == nil
	})
	t.Cleanup(func() { _ = syscall.Kill(-pid, syscall.SIGKILL) })
	return pid
}

func groupIsGone(pid int) func() bool {
	return func() bool { return errors.Is(syscall.Kill(-pid, 0), syscall.ESRCH) }
}

func TestUpgradeKillsASuccessorThatHangs(t *testing.T) {
	path, file := shellProgram(t, "trap '' TERM; sleep 600")
	u := &upgrade{args: []string{path}, wait: 10 * time.Second} // the shell is up by then
	u.begin(t.Context())
	pid := started(t, file)
	await(t, "end of the group", groupIsGone(pid))
	await(t, "room for the next upgrade", func() bool { return !u.running.Load() })
}

func TestUpgradeStopsTheSuccessorWithTheProxy(t *testing.T) {
	path, file := shellProgram(t, "sleep 600")
	ctx, stop := context.WithCancel(t.Context())
	u := &upgrade{args: []string{path}, wait: time.Hour}
	u.begin(ctx)
	pid := started(t, file)
	stop()
	u.leave()
	await(t, "end of the group", groupIsGone(pid))
}

func TestUpgradeLeavesASuccessorThatTookOver(t *testing.T) {
	path, file := shellProgram(t, "trap 'touch \"$0.told\"' TERM; while [ ! -e \"$0.end\" ]; do sleep 0.05; done")
	ctx, handOver := context.WithCancelCause(t.Context())
	u := &upgrade{args: []string{path}, wait: time.Hour}
	u.begin(ctx)
	pid := started(t, file)
	handOver(proxy.ErrHandedOver)
	u.leave() // a signal has come by now
	if err := os.WriteFile(path+".end", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	await(t, "end of the successor", groupIsGone(pid))
	if _, err := os.Stat(path + ".told"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the successor was told to end (%v)", err)
	}
}
