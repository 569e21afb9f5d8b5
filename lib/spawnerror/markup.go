package spawnerror

import (
	"html"
	"strconv"
	"strings"
)

// A markup is HTML that is being written. Words of the app and of its settings go
// through text alone, and stand between tags only, never in one. html/template, which
// knows more places, is 0.6 MB of each program.
type markup []byte

// raw adds what we wrote ourselves.
func (m *markup) raw(parts ...string) {
	for _, p := range parts {
		*m = append(*m, p...)
	}
}

var noNULs = strings.NewReplacer("\x00", "\uFFFD")

// text adds words that are no tags, whoever wrote them.
func (m *markup) text(s string) {
	m.raw(html.EscapeString(noNULs.Replace(strings.ToValidUTF8(s, "\uFFFD"))))
}

func (m *markup) output(lines []line) {
	if len(lines) == 0 {
		return
	}
	m.raw("\n<section><h2>What the application wrote last</h2><pre>")
	for _, l := range lines {
		m.raw("<span")
		if l.Marked {
			m.raw(` class="marked"`)
		}
		m.raw(">")
		m.text(l.Text)
		m.raw("\n</span>")
	}
	m.raw("</pre></section>")
}

func (m *markup) phases(bars []bar) {
	if len(bars) == 0 {
		return
	}
	m.raw("\n<section><h2>How far it came</h2>\n<table>")
	for _, b := range bars {
		class, failed := "", ""
		if b.Failed {
			class, failed = ` class="failed"`, "failed after "
		}
		m.raw("\n<tr", class, "><th>")
		m.text(b.Name)
		m.raw(`</th><td><div class="track"><i style="left:`, percent(b.Offset), "%;width:", percent(b.Percent), `%"></i></div></td><td class="took">`, failed)
		m.text(b.Took)
		m.raw("</td></tr>")
	}
	m.raw("\n</table></section>")
}

func percent(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

func (m *markup) facts(list []fact, before, after string) {
	for _, f := range list {
		m.raw("\n<tr>", before)
		m.text(f.Name)
		m.raw(after, "<td><code>")
		m.text(f.Value)
		m.raw("</code></td></tr>")
	}
}
