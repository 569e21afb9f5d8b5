package process

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"passenger/lib/adapter"
	"passenger/lib/output"
	"passenger/lib/proc"
)

const (
	// dumpPatience is how long a process that hangs may take to say where.
	dumpPatience = 5 * time.Second

	// dumpQuiet is how long nothing more comes when it has said it.
	dumpQuiet = 300 * time.Millisecond

	dumpLook = 10 * time.Millisecond
)

// A Hang is where a process hangs.
type Hang struct {
	asked   time.Time // what it wrote later is the answer
	WaitsIn string    // in the kernel, empty if that is not known
	Stack   []string  // in its own language, nil if it did not say
}

// WhereItHangs asks the process and the kernel. Frames of our adapters, which lie
// in that directory, are left out.
func (p *Process) WhereItHangs(adapters string) Hang {
	if p == nil || p.handle == nil || p.out == nil {
		return Hang{}
	}
	h := Hang{asked: time.Now(), WaitsIn: proc.WaitsIn(p.handle.Identity().PID)} // before a signal interrupts it
	ctx, cancel := context.WithTimeout(context.Background(), dumpPatience)
	defer cancel()
	switch adapter.DumpOf(p.Snapshot().Type) {
	case adapter.DumpSignal:
		h.Stack = p.dumpBySignal(ctx)
	case adapter.DumpInspector:
		h.Stack = p.dumpByInspector(ctx)
	}
	h.Stack = slices.DeleteFunc(h.Stack, func(frame string) bool {
		return strings.Contains(frame, adapters) || strings.Contains(frame, "<frozen importlib")
	})
	return h
}

// dumpBySignal has the process write its stacks.
func (p *Process) dumpBySignal(ctx context.Context) []string {
	since := time.Now()
	if p.handle.Signal(unix.SIGQUIT) != nil {
		return nil // it is gone
	}
	var lines []output.Line
	p.awaitOutput(ctx, since, func(new []output.Line) bool {
		lines = new
		return len(new) > 0 && time.Since(new[len(new)-1].At) > dumpQuiet
	})
	return Texts(lines)
}

// dumpByInspector asks the inspector of Node.js.
func (p *Process) dumpByInspector(ctx context.Context) []string {
	since := time.Now()
	if p.handle.Signal(unix.SIGUSR1) != nil {
		return nil
	}
	var address string
	var port int
	p.awaitOutput(ctx, since, func(new []output.Line) (found bool) {
		for _, line := range new {
			if address, port, found = adapter.InspectorURL([]byte(line.Text + "\n")); found {
				return true
			}
		}
		return false
	})
	// What is said of another's port is not for us to do.
	if address == "" || !proc.ListensOn(p.handle.Identity().PID, port) {
		return nil
	}
	stack, err := adapter.InspectorStack(ctx, address)
	if err != nil {
		slog.Debug("stack not read", "err", err)
		return nil
	}
	return strings.Split(strings.TrimRight(stack, "\n"), "\n")
}

// awaitOutput calls done with what the process wrote to stderr since then,
// until that says so or ctx ends.
func (p *Process) awaitOutput(ctx context.Context, since time.Time, done func([]output.Line) bool) {
	tick := time.NewTicker(dumpLook)
	defer tick.Stop()
	for {
		lines := slices.DeleteFunc(p.out.Last(), func(l output.Line) bool { return l.Stream != output.Stderr || l.At.Before(since) })
		if done(lines) {
			return
		}
		select {
		case <-tick.C:
		case <-p.exited:
			return
		case <-ctx.Done():
			return
		}
	}
}

// Before leaves out what the process wrote in answer to the question.
func (h Hang) Before(lines []output.Line) []output.Line {
	if h.asked.IsZero() {
		return lines
	}
	return slices.DeleteFunc(lines, func(l output.Line) bool { return l.At.After(h.asked) })
}
