package spawn

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
)

// clearNotifySockets removes what belongs to processes that are gone.
func (s *Spawner) clearNotifySockets() error {
	entries, err := os.ReadDir(s.dir.NotifySockets())
	if err != nil {
		return fmt.Errorf("clear notify sockets: %w", err)
	}
	used := map[string]bool{}
	for _, p := range s.processes {
		used[p.Snapshot().NotifySocket] = true
	}
	for _, e := range entries {
		path := filepath.Join(s.dir.NotifySockets(), e.Name())
		if used[path] {
			continue
		}
		if err := os.Remove(path); err != nil {
			slog.Error("notify socket not removed", "err", err)
		}
	}
	return nil
}
