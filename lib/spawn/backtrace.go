package spawn

import (
	"fmt"
	"log/slog"
	"strings"

	"passenger/lib/adapter"
	"passenger/lib/output"
	"passenger/lib/protocol"
	"passenger/lib/spawn/process"
)

// Backtrace asks a process what it does. The process runs on. The error is
// [ErrUnknown] or a *protocol.Error.
func (s *Spawner) Backtrace(id string) (protocol.Backtrace, error) {
	p := s.find(id)
	if p == nil || !p.Began() {
		return protocol.Backtrace{}, fmt.Errorf("process %q: %w", id, ErrUnknown)
	}
	r := p.Snapshot()
	switch {
	case r.State == protocol.Exited:
		return protocol.Backtrace{}, fmt.Errorf("process %q has exited: %w", id, ErrUnknown)
	case adapter.DumpOf(r.Type) == 0:
		return protocol.Backtrace{}, &protocol.Error{
			Code: protocol.CodeConflict, Message: fmt.Sprintf("process %q is of a generic app: SIGQUIT, which others print their stacks on, may end it", id),
			Hint: "use the debugger of its language, such as gdb -p PID",
		}
	case r.State == protocol.Starting:
		return protocol.Backtrace{}, &protocol.Error{
			Code: protocol.CodeConflict, Message: fmt.Sprintf("process %q is starting: before its interpreter is set up, SIGQUIT would end it", id),
			Hint: "wait for it; one that is not ready within start_timeout says where it hangs",
		}
	}
	h := p.WhereItHangs(s.adapters.Dir())
	return protocol.Backtrace{PID: r.PID, WaitsIn: h.WaitsIn, Stack: append([]string{}, h.Stack...)}, nil
}

// dump has a stuck process say in its log where it is. The spawner writes stacks
// there that the process does not write itself.
func (s *Spawner) dump(p *process.Process) {
	h := p.WhereItHangs(s.adapters.Dir())
	r := p.Snapshot()
	slog.Warn("process is stuck", "app", r.App, "pid", r.PID, "waits_in", h.WaitsIn, "frames", len(h.Stack))
	if adapter.DumpOf(r.Type) == adapter.DumpInspector && len(h.Stack) > 0 {
		from := process.SourceOf(r)
		s.Log.Lines(from, output.Stderr, []byte(strings.Join(h.Stack, "\n")+"\n"))
	}
}
