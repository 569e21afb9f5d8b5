package process

import (
	"log/slog"
	"time"

	"passenger/lib/bug"
	"passenger/lib/statedir"
)

// recordPause is how long after a failure a record is written again.
const recordPause = time.Second

// save writes the record to the state directory. One that cannot be written,
// for want of room perhaps, is tried again until it is; the process runs all
// the same, and its record says so. The caller holds mu.
func (p *Process) save() {
	r := p.record
	r.Unrecorded = ""
	err := statedir.WriteJSON(p.Dir.Record(), r)
	switch {
	case err == nil && p.record.Unrecorded != "":
		slog.Info("process record written after all", "app", r.App, "pid", r.PID)
		p.record.Unrecorded = ""
	case err != nil:
		if p.record.Unrecorded == "" {
			slog.Error("process record not written; trying again. A spawner that comes before that ends the process", "app", r.App, "pid", r.PID, "err", err)
		}
		p.record.Unrecorded = err.Error()
		if !p.retrying {
			p.retrying = true
			time.AfterFunc(recordPause, p.saveAgain)
		}
	}
}

// saveAgain writes a record that could not be written.
func (p *Process) saveAgain() {
	defer bug.Caught(nil)
	p.mu.Lock()
	p.retrying = false
	written := false
	if !p.phase.over() && p.record.Unrecorded != "" {
		p.save()
		written = p.record.Unrecorded == ""
	}
	p.mu.Unlock()
	if written && p.published != nil {
		p.published()
	}
}

// Unrecorded says whether the record of a process that runs could not be
// written, after one more try.
func (p *Process) Unrecorded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle == nil || p.phase.over() || p.record.Unrecorded == "" {
		return false
	}
	p.save()
	return p.record.Unrecorded != ""
}
