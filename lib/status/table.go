package status

import (
	"bytes"
	"strings"
)

// A Style says how text is marked for a terminal. The zero Style is plain.
type Style struct {
	Colour bool

	// Width and Height are those of the terminal that [Status.Screen] is for, in
	// columns and lines. A table leaves columns out that do not fit the width; 0
	// is for any width.
	Width, Height int

	brief bool // leave out what is not news
	gaps  bool // in a brief text, empty lines before apps
	rows  int  // most processes to show of an app, 0 for all
}

func (st Style) mark(code, s string) string {
	if !st.Colour || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (st Style) bold(s string) string   { return st.mark("1", s) }
func (st Style) dim(s string) string    { return st.mark("2", s) }
func (st Style) red(s string) string    { return st.mark("1;31", s) }
func (st Style) yellow(s string) string { return st.mark("33", s) }
func (st Style) green(s string) string  { return st.mark("32", s) }

// A cell is plain text and how to mark it; a nil mark leaves the text as it is.
type cell struct {
	text string
	mark func(string) string
}

// A table aligns columns. Widths are those of the plain text, so marks move
// nothing.
type table struct {
	right []bool // columns aligned to the right; the others to the left
	rows  [][]cell

	// spare are the columns that are left out, in this order, for as long as
	// the table is wider than width; a width of 0 is enough for all.
	spare []int
	width int
}

func (t *table) add(row ...cell) { t.rows = append(t.rows, row) }

// write appends the rows, each behind indent and with two spaces between
// columns and none at the end.
func (t *table) write(b *strings.Builder, indent string) {
	widths := t.widths()
	hidden := map[int]bool{}
	for _, i := range t.spare {
		if t.width == 0 || total(indent, widths, hidden) <= t.width {
			break
		}
		hidden[i] = true
	}
	for _, row := range t.rows {
		line := []byte(indent)
		for i, c := range row {
			if hidden[i] {
				continue
			}
			pad := strings.Repeat(" ", widths[i]-width(c.text))
			text := c.text
			if c.mark != nil {
				text = c.mark(text)
			}
			switch {
			case i < len(t.right) && t.right[i]:
				line = append(append(line, pad...), text...)
			case i == len(row)-1:
				line = append(line, text...)
			default:
				line = append(append(line, text...), pad...)
			}
			if i < len(row)-1 {
				line = append(line, "  "...)
			}
		}
		b.Write(bytes.TrimRight(line, " "))
		b.WriteByte('\n')
	}
}

func (t *table) widths() []int {
	var widths []int
	for _, row := range t.rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(c.text))
		}
	}
	return widths
}

// total is how wide the columns that are not hidden are together.
func total(indent string, widths []int, hidden map[int]bool) int {
	n, gap := len(indent), 0
	for i, w := range widths {
		if !hidden[i] {
			n += gap + w
			gap = 2
		}
	}
	return n
}
