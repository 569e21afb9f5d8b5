package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// kill ends at once what the spawner left, for the script passenger that was told
// to stop a second time. The spawner is gone.
type kill struct{}

// Run kills the process group of each record whose pid is still that of the
// process it tells of.
func (kill) Run(c *command) error {
	dir := statedir.At(c.StatePath())
	entries, err := os.ReadDir(dir.Processes())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // no directory, no processes
	}
	if err != nil {
		return fmt.Errorf("cannot kill the processes: %w", err)
	}
	for _, e := range entries {
		var p protocol.Process
		if statedir.ReadJSON(dir.Process(e.Name()).Record(), &p) != nil || p.PID <= 1 {
			continue // not started yet, or being removed
		}
		h, err := proc.Open(proc.Identity{PID: p.PID, StartTime: p.StartTime, BootID: p.BootID})
		if err != nil {
			continue // it is gone
		}
		_ = h.SignalGroup(unix.SIGKILL) // it may end meanwhile
		h.Close()
	}
	return nil
}
