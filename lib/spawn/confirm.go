package spawn

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"passenger/lib/bug"
	"passenger/lib/proc"
)

// A hunch is what an earlier start of the generation found in the app's
// directory. A start may be planned by it: then the new process, at its gate,
// looks itself and goes on only if it finds the same. That is as safe as to
// have another process look first, and saves the time in which that one starts,
// a third of ours.
type hunch struct {
	Survey   survey          `json:"survey"`
	Findings json.RawMessage `json:"findings"`
}

// errChanged says that the app's directory is not what the start was planned
// by. Nothing has been started then.
var errChanged = errors.New("the app's directory has changed since the generation's last start")

// The gate's one byte in answer to a hunch.
const (
	confirmed = 'y'
	changed   = 'n'
)

// hunchOf is the hunch that the survey would find f again.
func hunchOf(q survey, f findings) (*hunch, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("app %q: what lies in its directory: %w", q.Config.Name, err)
	}
	return &hunch{Survey: q, Findings: text}, nil
}

// holds is the new process's part.
func (h *hunch) holds() bool {
	f, err := h.Survey.look()
	if err != nil {
		return false // who looks anew says why
	}
	text, err := json.Marshal(f)
	return err == nil && bytes.Equal(text, h.Findings)
}

// confirm has the process at its gate look for itself, if its start was planned
// by a hunch. The error is errChanged or ctx's cause; the process is on its way
// out then.
func (a *attempt) confirm(ctx context.Context, g *gate, handle *proc.Handle) error {
	if a.plan.hunch == nil {
		return nil
	}
	err := g.confirm(ctx, a.plan.hunch)
	if err != nil {
		a.unseen = ctx.Err() != nil
		bug.Go(func() { a.dismiss(handle) })
	}
	return err
}

func (g *gate) confirm(ctx context.Context, h *hunch) error {
	defer g.bound(ctx)()
	text, err := json.Marshal(order{Hunch: h})
	if err != nil {
		return fmt.Errorf("open gate: %w", err)
	}
	said := make([]byte, 1)
	_, err = g.ours.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
	if err == nil {
		_, err = g.ours.Read(said)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil || said[0] != confirmed:
		return errChanged // one that died of what it saw is a reason to look with care
	}
	return nil
}

// answerHunch is the process's part. It returns the order that comes next.
func answerHunch(g *os.File, h *hunch) (order, error) {
	if !h.holds() {
		_, _ = g.Write([]byte{changed}) // else the spawner is gone
		return order{}, errChanged
	}
	if _, err := g.Write([]byte{confirmed}); err != nil {
		return order{}, errors.New("the spawner is gone")
	}
	return readOrder(g)
}
