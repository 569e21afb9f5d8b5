package process

import (
	"log/slog"
	"os"
	"time"

	"passenger/lib/statedir"
)

// A directory that could not be removed is tried again after these pauses: the
// spawner may have had no descriptors left, which opening it needs.
const (
	firstRemovePause = time.Second
	lastRemovePause  = time.Minute
)

// RemoveDirectory removes the directory of a process that has ended. One that
// cannot be removed now is removed later, or by the next spawner. It follows no
// link.
func RemoveDirectory(dir statedir.ProcessDir) {
	if err := os.RemoveAll(string(dir)); err != nil {
		slog.Error("process directory not removed; trying again", "err", err)
		removeLater(dir, firstRemovePause)
	}
}

func removeLater(dir statedir.ProcessDir, pause time.Duration) {
	time.AfterFunc(pause, func() {
		err := os.RemoveAll(string(dir))
		switch {
		case err != nil && pause < lastRemovePause:
			removeLater(dir, 2*pause)
		case err != nil:
			slog.Error("process directory not removed", "err", err)
		}
	})
}
