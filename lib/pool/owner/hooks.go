package owner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"passenger/lib/protocol"
)

const (
	// hookTime is how long a hook may take. One that takes longer is killed,
	// with what it started.
	hookTime = 30 * time.Second

	// mostEvents wait for the hooks of those before; more are dropped.
	mostEvents = 100
)

// hooks runs commands on events, one after the other, so that they see the
// events in order and a burst of events starts no burst of commands.
type hooks struct {
	commands Hooks
	limit    time.Duration // of each command
	events   chan protocol.Event
}

// add has the hooks of an event run. It does not wait.
func (h *hooks) add(e protocol.Event) {
	if len(h.commands[e.Event]) == 0 {
		return
	}
	select {
	case h.events <- e:
	default:
		slog.Error("event dropped: hooks are too slow", "event", e.Event, "app", e.App)
	}
}

// run runs hooks until ctx ends. One that runs then is killed.
func (h *hooks) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-h.events:
			for _, command := range h.commands[e.Event] {
				if err := h.runOne(ctx, command, e); err != nil {
					slog.Error("hook failed", "event", e.Event, "app", e.App, "command", command, "err", err)
				}
			}
		}
	}
}

func (h *hooks) runOne(ctx context.Context, command string, e protocol.Event) error {
	record, err := json.Marshal(e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, h.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Stdin = bytes.NewReader(append(record, '\n'))
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.Env = append(os.Environ(), hookEnv(e)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // for what left the group with our end of stdin
	err = cmd.Run()
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("killed after %v: %w", h.limit, err)
	}
	return err
}

// hookEnv says in the environment what a shell would have to look for in the
// record.
func hookEnv(e protocol.Event) []string {
	env := []string{"PASSENGER_EVENT=" + e.Event, "PASSENGER_APP=" + e.App, "PASSENGER_APP_ROOT=" + e.AppRoot}
	if e.Process != nil {
		env = append(env, "PASSENGER_PROCESS_PID="+strconv.Itoa(e.Process.PID))
	}
	return env
}
