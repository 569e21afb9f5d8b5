package spawn

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/bug"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/spawn/process"
	"passenger/lib/statedir"
)

// unrecorded are the processes whose records could not be written, after one
// more try.
func (s *Spawner) unrecorded() []*process.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*process.Process
	for _, p := range s.processes {
		if p.Unrecorded() {
			list = append(list, p)
		}
	}
	return list
}

// Unrecorded is how many processes a successor would not know.
func (s *Spawner) Unrecorded() int { return len(s.unrecorded()) }

// strangerGrace is how long a process without a record may take to stop.
const strangerGrace = 10 * time.Second

// endUnknown ends what runs of the process whose directory this is and that has
// no record to adopt it by: an earlier spawner could not write it. What it is
// cannot be known, and another will run in its place.
func endUnknown(dir statedir.ProcessDir) {
	var handles []*proc.Handle
	for _, id := range proc.Holders(string(dir)) {
		if h, err := proc.Open(id); err == nil { // else it is gone
			handles = append(handles, h)
		}
	}
	for _, h := range handles {
		slog.Warn("ending a process that has no record", "pid", h.Identity().PID, "dir", string(dir))
		_ = h.Signal(unix.SIGTERM) // gone is fine
		bug.Go(func() {
			defer h.Close()
			over := time.AfterFunc(strangerGrace, func() { _ = h.Signal(unix.SIGKILL) })
			defer over.Stop()
			_ = h.Wait()
		})
	}
}

// isUnknown says whether err of [Spawner.adopt] is for want of a record.
func isUnknown(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, errNoRecord)
}

// errNoRecord is for a file that is no record, as a crash of the machine may
// leave it.
var errNoRecord = errors.New("no record")

func readRecord(dir statedir.ProcessDir) (r protocol.Process, err error) {
	err = statedir.ReadJSON(dir.Record(), &r)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		if _, unreadable := os.ReadFile(dir.Record()); unreadable == nil {
			err = fmt.Errorf("%w: %w", errNoRecord, err)
		}
	}
	return r, err
}
