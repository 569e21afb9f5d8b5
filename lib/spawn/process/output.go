package process

import (
	"passenger/lib/output"
	"passenger/lib/protocol"
)

// Read starts to read what the process writes, for the sink. leave gives the sink
// up when the process has ended; nil does nothing.
func (p *Process) Read(sink output.Sink, leave func()) (err error) {
	p.leaveLog = leave
	r := p.Snapshot()
	from := SourceOf(r)
	if n, ok := sink.(*output.Novel); ok && r.State == protocol.Starting {
		n.Begin(from)
		p.shown = func(ready bool) { tellStart(n, from, ready) }
	}
	p.out, err = output.Read(p.Dir.Stdout(), p.Dir.Stderr(), from, sink)
	return err
}

// SourceOf names the process in a log.
func SourceOf(r protocol.Process) *output.Source {
	return &output.Source{App: r.App, Environment: r.Environment, ID: r.ID, Generation: r.Generation, PID: r.PID, ProcessType: r.ProcessType}
}

// Flush passes on what was read of the process's output.
func (p *Process) Flush() {
	if r := p.Snapshot(); p.out != nil && r.State != protocol.Exited {
		p.out.Finish()
	}
}

// ShowStart tells a sink that held back what the process wrote until it was ready
// to show it.
func (p *Process) ShowStart() {
	if p.shown != nil {
		p.shown(true)
	}
}

// finishOutput passes on the last of what an ended process wrote.
func (p *Process) finishOutput() {
	if p.out != nil {
		p.out.Finish()
	}
	if p.shown != nil {
		p.shown(false)
	}
	if p.leaveLog != nil {
		p.leaveLog()
	}
}

// tellStart tells a sink how the start of a source went.
func tellStart(n *output.Novel, from *output.Source, ready bool) {
	if ready {
		n.Ready(from)
	} else {
		n.Ended(from)
	}
}

// Texts are the lines without their times and streams.
func Texts(lines []output.Line) []string {
	text := make([]string, len(lines))
	for i, line := range lines {
		text[i] = line.Text
	}
	return text
}
