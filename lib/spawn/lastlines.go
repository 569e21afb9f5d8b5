package spawn

import (
	"fmt"
	"slices"

	"passenger/lib/protocol"
	"passenger/lib/spawn/process"
)

// Output returns the last lines that a process wrote, or [ErrUnknown].
func (s *Spawner) Output(id string) (protocol.Output, error) {
	if p := s.find(id); p != nil {
		return lastLines(p)
	}
	return protocol.Output{}, fmt.Errorf("process %q: %w", id, ErrUnknown)
}

// PreloaderOutput is Output of a preloader.
func (s *Spawner) PreloaderOutput(id string) (protocol.Output, error) {
	s.mu.Lock()
	i := slices.IndexFunc(s.preloaders, func(l *preloader) bool { return l.Snapshot().ID == id })
	var p *process.Process
	if i >= 0 {
		p = s.preloaders[i].Process
	}
	s.mu.Unlock()
	if p == nil {
		return protocol.Output{}, fmt.Errorf("preloader %q: %w", id, ErrUnknown)
	}
	return lastLines(p)
}

// lastLines is what p wrote last. One whose output was never read is unknown.
func lastLines(p *process.Process) (protocol.Output, error) {
	lines, read := p.LastLines()
	if !read {
		return protocol.Output{}, fmt.Errorf("process %q: %w", p.Snapshot().ID, ErrUnknown)
	}
	out := protocol.Output{Lines: []protocol.OutputLine{}}
	for _, line := range lines {
		out.Lines = append(out.Lines, protocol.OutputLine{At: line.At, Stream: string(line.Stream), Text: line.Text})
	}
	return out, nil
}
