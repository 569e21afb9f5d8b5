package proc

import (
	"fmt"
	"os"
	"os/signal"

	"context"

	"golang.org/x/sys/unix"
)

// BecomeSubreaper makes this process the parent of every descendant whose own
// parent ends (PR_SET_CHILD_SUBREAPER in prctl(2)).
func BecomeSubreaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become child subreaper: %w", err)
	}
	return nil
}

// ReapStrangers reaps, until ctx ends, the children that fell to us and that are
// not ours, as ours says. It waits for each by its number, never for any child:
// that would steal the status of a child for which another goroutine waits.
func ReapStrangers(ctx context.Context, ours func(pid int) bool) {
	exits := make(chan os.Signal, 1)
	signal.Notify(exits, unix.SIGCHLD)
	defer signal.Stop(exits)
	for {
		for _, pid := range Children() {
			if !ours(pid) {
				reapZombie(pid)
			}
		}
		select {
		case <-exits:
		case <-ctx.Done():
			return
		}
	}
}

// reapZombie reaps the process if it has ended, and else leaves it running.
func reapZombie(pid int) {
	if s, err := readStat(pid); err != nil || s.state != 'Z' {
		return
	}
	// An error means that it was reaped already.
	_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
}
