package control

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Metrics collects samples and renders them as Prometheus text, format 0.0.4. It
// is some dozen lines, where client_golang costs each daemon 2.4 MB.
// The official client library costs each daemon 2.4 MB of memory, most of it
// for protocol buffers, and our numbers exist already as a snapshot.
type Metrics struct {
	order    []string
	families map[string]*family
}

type family struct {
	help, kind string
	samples    bytes.Buffer
}

// Gauge adds a sample that may rise and fall. Labels are pairs of name and
// value.
func (m *Metrics) Gauge(name, help string, value float64, labels ...string) {
	m.add("gauge", name, help, value, labels)
}

// Counter adds a sample that only rises. Its name ends in _total.
func (m *Metrics) Counter(name, help string, value float64, labels ...string) {
	m.add("counter", name, help, value, labels)
}

func (m *Metrics) add(kind, name, help string, value float64, labels []string) {
	if m.families == nil {
		m.families = map[string]*family{}
	}
	f := m.families[name]
	if f == nil {
		f = &family{help: help, kind: kind}
		m.families[name] = f
		m.order = append(m.order, name)
	}
	f.samples.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		sep := byte(',')
		if i == 0 {
			sep = '{'
		}
		f.samples.WriteByte(sep)
		fmt.Fprintf(&f.samples, `%s="%s"`, labels[i], labelEscaper.Replace(labels[i+1]))
	}
	if len(labels) > 1 {
		f.samples.WriteByte('}')
	}
	f.samples.WriteByte(' ')
	f.samples.WriteString(strconv.FormatFloat(value, 'g', -1, 64))
	f.samples.WriteByte('\n')
}

var labelEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// Text renders the families in the order in which they were first added.
func (m *Metrics) Text() []byte {
	var b bytes.Buffer
	for _, name := range m.order {
		f := m.families[name]
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, f.help, name, f.kind)
		b.Write(f.samples.Bytes())
	}
	return b.Bytes()
}
