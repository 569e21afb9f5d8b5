package spawn

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"passenger/lib/spawn/process"
	"passenger/lib/statedir"
)

// clearNotifySockets removes those of all other processes than these, which run.
func clearNotifySockets(dir statedir.Dir, processes []*process.Process) error {
	entries, err := os.ReadDir(dir.NotifySockets())
	if err != nil {
		return fmt.Errorf("clear notify sockets: %w", err)
	}
	used := map[string]bool{}
	for _, p := range processes {
		used[p.Snapshot().NotifySocket] = true
	}
	for _, e := range entries {
		path := filepath.Join(dir.NotifySockets(), e.Name())
		if used[path] {
			continue
		}
		if err := os.Remove(path); err != nil {
			slog.Error("notify socket not removed", "err", err)
		}
	}
	return nil
}
