package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"passenger/lib/bug"
	"passenger/lib/loglimit"
	"passenger/lib/statedir"
	"passenger/lib/status"
	"passenger/lib/status/event"
)

const (
	// step is the time between two samples.
	step = time.Second

	// lookTime bounds one look, so that a daemon that is stuck is recorded as such.
	lookTime = 900 * time.Millisecond

	// openStep is the pause between two attempts to open the file; while a
	// predecessor has it, step is.
	openStep = 10 * time.Second

	// complaintStep is how often a file that cannot be written is told of.
	complaintStep = 10 * time.Minute
)

// A Recorder writes what a daemon sees. Set the fields, then Run.
type Recorder struct {
	Dir    statedir.Dir
	Daemon string // statedir.Spawn, Pool or Proxy

	// Look returns the daemon's own answers, and nothing of the others.
	Look func(context.Context) (status.Snapshot, error)

	file      *file
	begun     bool      // a sample was written
	triedAt   time.Time // when the file could not be opened last
	chooser   chooser
	follower  event.Follower
	payload   []byte
	complaint loglimit.Limiter
}

// Run records until ctx ends. What cannot be written is logged now and then, and
// harms nothing else. It allocates the same at each step, whatever came before.
func (r *Recorder) Run(ctx context.Context) {
	r.chooser.columns = ColumnsOf(r.Daemon).Apps
	defer func() {
		if r.file != nil {
			r.file.close()
		}
	}()
	bug.Outlive(ctx, func() { r.run(ctx) })
}

func (r *Recorder) run(ctx context.Context) {
	tick := time.NewTicker(step)
	defer tick.Stop()
	for {
		if err := r.record(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, errBusy) && r.complaint.DueAfter(complaintStep) {
			slog.Warn("could not record; passenger-status replay will miss this", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// record writes one sample and what happened since the one before.
func (r *Recorder) record(ctx context.Context) error {
	if err := r.open(time.Now()); r.file == nil {
		return err
	}
	looking, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	s, err := r.Look(looking)
	if ctx.Err() != nil {
		return nil // the daemon ends, and does not answer for that
	}
	s.At = time.Now()
	if err != nil {
		return r.sample(Sample{At: s.At, Silent: cut(err.Error(), mostSilent)})
	}
	about, rows := rowsOf(s)
	chosen, leftOut := r.chooser.choose(rows, mostSample-sampleHead)
	err = r.sample(Sample{At: s.At, About: about, Apps: len(rows), LeftOut: leftOut, Rows: chosen})
	for _, e := range r.follower.Next(s) {
		err = errors.Join(err, r.event(e))
	}
	return err
}

// open opens the file if that is due. An error is told once per attempt.
func (r *Recorder) open(now time.Time) error {
	if r.file != nil || !r.triedAt.IsZero() && now.Sub(r.triedAt) < openStep {
		return nil
	}
	f, err := open(r.Dir.Recording(r.Daemon), r.Daemon)
	if err != nil {
		if !errors.Is(err, errBusy) {
			r.triedAt = now
		}
		return err
	}
	r.file = f
	return nil
}

// Bounds of what is in a record beside its rows, in bytes of JSON.
const (
	sampleHead = 256
	mostSilent = 500
)

func (r *Recorder) sample(s Sample) (err error) {
	s.Begins = !r.begun
	if r.payload, err = appendSample(r.payload[:0], s); err != nil {
		return err
	}
	if err = r.file.append(sampleKind, r.payload); err == nil {
		r.begun = true
	}
	return err
}

// Bounds of an event: of its texts, of its output's lines, and of their number.
const (
	mostText   = 1000
	mostLine   = 300
	mostOutput = 5
)

func (r *Recorder) event(e event.Event) error {
	e.Cause, e.Advice = cut(e.Cause, mostText), cut(e.Advice, mostText)
	if n := len(e.Output); n > mostOutput {
		e.Output = e.Output[n-mostOutput:]
	}
	lines := make([]string, len(e.Output))
	for i, line := range e.Output {
		lines[i] = cut(line, mostLine)
	}
	e.Output = lines
	b, err := json.Marshal(e)
	if err == nil && len(b) > mostRecord-recordHead { // all of it was escaped
		e.Output, e.Cause, e.Advice, e.AppRoot = nil, cut(e.Cause, mostLine), "", ""
		b, err = json.Marshal(e)
	}
	if err != nil {
		return err
	}
	return r.file.append(eventKind, b)
}

// cut bounds a text, in bytes.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}
