package control

import (
	"fmt"
	"strconv"
	"strings"

	"passenger/lib/histogram"
)

// Metrics collects samples and renders them as Prometheus text, format 0.0.4. It
// is some dozen lines, where client_golang costs each daemon 2.4 MB of memory,
// most of it for protocol buffers, and our numbers exist already as a snapshot.
type Metrics struct {
	order    []string
	families map[string]*family
}

type family struct {
	help, kind string
	samples    []byte
}

// Gauge adds a sample that may rise and fall. Labels are pairs of name and
// value.
func (m *Metrics) Gauge(name, help string, value float64, labels ...string) {
	m.family("gauge", name, help).add(name, "", value, labels)
}

// Counter adds a sample that only rises. Its name ends in _total.
func (m *Metrics) Counter(name, help string, value float64, labels ...string) {
	m.family("counter", name, help).add(name, "", value, labels)
}

// Histogram adds the samples of a histogram, in seconds. Its name ends in
// _seconds.
func (m *Metrics) Histogram(name, help string, h histogram.Snapshot, labels ...string) {
	f := m.family("histogram", name, help)
	bounded := append(append(make([]string, 0, len(labels)+2), labels...), "le", "")
	for i, n := range h.Counts {
		le := "+Inf"
		if i < len(h.Bounds) {
			le = strconv.FormatFloat(h.Bounds[i].Seconds(), 'g', -1, 64)
		}
		bounded[len(bounded)-1] = le
		f.add(name, "_bucket", float64(n), bounded)
	}
	f.add(name, "_sum", h.Sum.Seconds(), labels)
	f.add(name, "_count", float64(h.Counts[len(h.Counts)-1]), labels)
}

func (m *Metrics) family(kind, name, help string) *family {
	if m.families == nil {
		m.families = map[string]*family{}
	}
	f := m.families[name]
	if f == nil {
		f = &family{help: help, kind: kind}
		m.families[name] = f
		m.order = append(m.order, name)
	}
	return f
}

func (f *family) add(name, suffix string, value float64, labels []string) {
	b := append(append(f.samples, name...), suffix...)
	for i := 0; i+1 < len(labels); i += 2 {
		sep := byte(',')
		if i == 0 {
			sep = '{'
		}
		b = append(append(append(b, sep), labels[i]...), `="`...)
		b = append(append(b, escaped(labels[i+1])...), '"')
	}
	if len(labels) > 1 {
		b = append(b, '}')
	}
	b = strconv.AppendFloat(append(b, ' '), value, 'g', -1, 64)
	f.samples = append(b, '\n')
}

var labelEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// escaped is the value of a label as text. What is no UTF-8, in the name of a file
// perhaps, would make Prometheus refuse all samples.
func escaped(value string) string {
	return labelEscaper.Replace(strings.ToValidUTF8(value, "\uFFFD"))
}

// Text renders the families in the order in which they were first added.
func (m *Metrics) Text() []byte {
	var b []byte
	for _, name := range m.order {
		f := m.families[name]
		b = fmt.Appendf(b, "# HELP %s %s\n# TYPE %s %s\n", name, f.help, name, f.kind)
		b = append(b, f.samples...)
	}
	return b
}
