package spawn

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"

	"passenger/lib/bug"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/spawn/notify"
	"passenger/lib/spawn/process"
	"passenger/lib/spawn/survey"
	"passenger/lib/statedir"
)

// adoptAll takes over the processes of the state directory that run, and removes
// the directories of the others.
func (s *Spawner) adoptAll() error {
	entries, err := os.ReadDir(s.dir.Processes())
	if err != nil {
		return fmt.Errorf("adopt processes: %w", err)
	}
	census := sync.OnceValue(proc.TakeCensus)
	var adopted []*process.Process
	for _, e := range entries {
		dir := s.dir.Process(e.Name())
		p, err := s.adopt(dir, census)
		switch {
		case err == nil:
			adopted = append(adopted, p)
		case errors.Is(err, proc.ErrGone), isUnknown(err):
			// The process is gone, or its spawner died before it let it through
			// its gate, or could not write its record.
			if isUnknown(err) {
				endUnknown(dir)
			}
			process.RemoveDirectory(dir)
		default:
			slog.Error("process not adopted", "dir", string(dir), "err", err)
		}
	}
	slices.SortFunc(adopted, func(p, q *process.Process) int { return p.Snapshot().StartedAt.Compare(q.Snapshot().StartedAt) })
	for _, p := range adopted {
		s.takeOver(p)
	}
	for _, p := range adopted {
		if r := p.Snapshot(); r.Slot == 0 { // of a spawner that knew no slots
			slot := freeSlot(s.processes, r.App)
			p.Change(func(r *protocol.Process) { r.Slot = slot })
		}
	}
	return nil
}

// adopt reads the record of a process that an earlier spawner started, and
// returns proc.ErrGone unless that very process still runs.
func (s *Spawner) adopt(dir statedir.ProcessDir, census func() proc.Census) (*process.Process, error) {
	r, err := readRecord(dir)
	if err != nil {
		return nil, err
	}
	if dir != s.dir.Process(r.ID) {
		return nil, fmt.Errorf("record is of process %q, not of its directory", r.ID)
	}
	if r.Version > protocol.Version {
		return nil, fmt.Errorf("record is of version %d, this spawner knows %d: upgrade it", r.Version, protocol.Version)
	}
	handle, err := proc.Open(proc.Identity{PID: r.PID, StartTime: r.StartTime, BootID: r.BootID})
	if errors.Is(err, proc.ErrGone) && r.NotifySocket != "" && census().Has(r.PID) {
		// The process ended while no spawner ran to end the rest of its group.
		proc.KillCarriers("NOTIFY_SOCKET="+r.NotifySocket, r.PID)
	}
	if err != nil {
		return nil, err
	}
	r.Adopted = r.Adopted || !proc.IsChild(r.PID) // after an execve of ours it is our child still
	p := process.Adopt(dir, handle, r, &s.kin, s.publish)
	if err := s.outputs.read(p); err != nil {
		slog.Error("output of adopted process is lost", "app", r.App, "pid", r.PID, "err", err)
	}
	return p, nil
}

// takeOver goes on where the earlier spawner left off.
func (s *Spawner) takeOver(p *process.Process) {
	r := p.Snapshot()
	s.processes = append(s.processes, p)
	s.generationLocked(r.App, r.Generation).release = survey.ReleaseOf(&r)
	if proc.IsChild(r.PID) {
		s.children.Adopt(r.PID) // after execve: same parent
	}
	// What the process says from now on is not read, but its sends must not fail.
	if n, err := notify.Renew(r.NotifySocket); err == nil {
		p.Notify = n
		bug.Go(func() { n.Listen(r.PID, func(notify.Notice) {}) })
	}
	bug.Go(func() { s.wait(p) })
	switch r.State {
	case protocol.Ready:
		slog.Info("process adopted", "app", r.App, "pid", r.PID, "generation", r.Generation)
	case protocol.Stopping:
		bug.Go(func() { p.Stop(seconds(r.StopGrace), s.publish) })
	default:
		// It may have said READY=1 while no spawner listened, which none can know.
		bug.Go(func() { p.KillOrphan() })
	}
}
