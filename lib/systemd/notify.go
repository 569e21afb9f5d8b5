// Package systemd talks with a service manager in systemd's way: sd_notify(3),
// sd_listen_fds(3), and the store of descriptors of a service.
package systemd

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Messages to the manager; see sd_notify(3).
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
	alive    = "WATCHDOG=1"
)

// notifyTime bounds a message: a manager that hangs must not stop us.
const notifyTime = time.Second

// A Manager is who started this process, if it wants to be told how it is
// doing. The nil Manager wants nothing.
type Manager struct {
	socket   string        // with a leading "@" for an abstract name
	watchdog time.Duration // it kills us if it hears nothing for so long; 0 for never

	environment map[string]string // by which it said so
}

// Started returns the manager that the environment names, nil if there is none,
// and takes it out of the environment: what we start is not the service.
func Started() *Manager {
	m := &Manager{socket: os.Getenv("NOTIFY_SOCKET"), environment: map[string]string{}}
	if pid := os.Getenv("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		µs, _ := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64) // nonsense is no watchdog
		m.watchdog = time.Duration(max(µs, 0)) * time.Microsecond
	}
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		if value, set := os.LookupEnv(name); set {
			m.environment[name] = value
		}
		_ = os.Unsetenv(name) // fails only for an impossible name
	}
	if m.socket == "" {
		return nil
	}
	return m
}

// PutBack puts back into the environment what Started took out of it, for a
// program that takes the place of this one.
func (m *Manager) PutBack() {
	if m == nil {
		return
	}
	for name, value := range m.environment {
		_ = os.Setenv(name, value) // fails only for an impossible name
	}
}

// Environment returns the assignments, NAME=VALUE, that Started took out of the
// environment, for a program that becomes the service beside this one.
func (m *Manager) Environment() []string {
	if m == nil {
		return nil
	}
	var list []string
	for name, value := range m.environment {
		list = append(list, name+"="+value)
	}
	return list
}

// MainPID is the message that the process with the pid is the service from now
// on. The manager believes it of a process of the service: NotifyAccess=all.
func MainPID(pid int) string { return "MAINPID=" + strconv.Itoa(pid) }

// Report tells the manager that the service runs, that it lives until ctx ends,
// and then that it stops. check is as in Watch.
func (m *Manager) Report(ctx context.Context, check func()) {
	m.Tell(Ready)
	m.Watch(ctx, check)
	<-ctx.Done()
	m.Tell(Stopping)
}

// Tell sends a message, lines of assignments. It logs a failure and returns none,
// since no caller could do anything about it.
func (m *Manager) Tell(message string) {
	if m == nil {
		return
	}
	if err := m.send(message, nil); err != nil {
		slog.Warn("could not tell the service manager", "message", strings.ReplaceAll(message, "\n", " "), "err", err)
	}
}

// Extend is the message that the stop which was announced takes up to d from now:
// a manager whose own limit is shorter waits for so long (EXTEND_TIMEOUT_USEC of
// sd_notify(3)).
func Extend(d time.Duration) string { return fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds()) }

// Reloading says that the service reads its configuration anew. Ready says that
// it has.
func (m *Manager) Reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		slog.Warn("could not read the clock", "err", err)
	}
	m.Tell(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000))
}

// Watch tells the manager that we are alive, as often as it wants, until ctx
// ends. check is called each time, and is to hang if the service does.
func (m *Manager) Watch(ctx context.Context, check func()) {
	if m == nil || m.watchdog == 0 {
		return
	}
	ticker := time.NewTicker(m.watchdog / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			check()
			m.Tell(alive)
		}
	}
}

// Keep asks the manager to keep a descriptor, under a name that the next start
// of the service is told.
func (m *Manager) Keep(name string, fd int) error {
	return m.send("FDSTORE=1\nFDNAME="+name, []int{fd})
}

// Forget asks it to close those it keeps under a name.
func (m *Manager) Forget(name string) { m.Tell("FDSTOREREMOVE=1\nFDNAME=" + name) }

func (m *Manager) send(message string, fds []int) error {
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	limit := unix.NsecToTimeval(int64(notifyTime))
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit); err != nil {
		return err
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	return unix.Sendmsg(socket, []byte(message), oob, &unix.SockaddrUnix{Name: m.socket}, unix.MSG_NOSIGNAL)
}
