package spawn

import "passenger/lib/output"

// showStart has what the process wrote until it was ready shown, if it was held
// back.
func (p *process) showStart() {
	if p.shown != nil {
		p.shown(true)
	}
}

// finishOutput passes on the last of what an ended process wrote.
func (p *process) finishOutput() {
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

// texts are the lines without when and where.
func texts(lines []output.Line) []string {
	text := make([]string, len(lines))
	for i, line := range lines {
		text[i] = line.Text
	}
	return text
}
