// Package layout writes text for people: aligned tables, units, marks of a
// terminal.
package layout

import (
	"bytes"
	"strings"
)

// A Pen marks text for a terminal if it is true. The false Pen leaves it plain.
type Pen bool

func (p Pen) mark(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + reset
}

// Bold, Dim, Red, Yellow and Green mark s so.
func (p Pen) Bold(s string) string   { return p.mark("1", s) }
func (p Pen) Dim(s string) string    { return p.mark("2", s) }
func (p Pen) Red(s string) string    { return p.mark("1;31", s) }
func (p Pen) Yellow(s string) string { return p.mark("33", s) }
func (p Pen) Green(s string) string  { return p.mark("32", s) }

// A Cell is plain text and how to mark it; a nil mark leaves the text as it is.
type Cell struct {
	text string
	mark func(string) string
}

// Plain is a cell whose text is not marked.
func Plain(text string) Cell { return Cell{text: text} }

// Marked is a cell that mark marks.
func Marked(text string, mark func(string) string) Cell { return Cell{text, mark} }

// A Table aligns columns. Widths are those of the plain text, so marks move
// nothing.
type Table struct {
	Right []bool // columns aligned to the right; the others to the left

	// Spare are the columns that are left out, in this order, for as long as
	// the table is wider than Width; a Width of 0 is enough for all.
	Spare []int
	Width int

	rows [][]Cell
}

// Add adds a row.
func (t *Table) Add(row ...Cell) { t.rows = append(t.rows, row) }

// Write appends the rows, each behind indent and with two spaces between
// columns and none at the end.
func (t *Table) Write(b *strings.Builder, indent string) {
	widths := t.widths()
	hidden := map[int]bool{}
	for _, i := range t.Spare {
		if t.Width == 0 || total(indent, widths, hidden) <= t.Width {
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
			pad := strings.Repeat(" ", widths[i]-Width(c.text))
			text := c.text
			if c.mark != nil {
				text = c.mark(text)
			}
			switch {
			case i < len(t.Right) && t.Right[i]:
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

func (t *Table) widths() []int {
	var widths []int
	for _, row := range t.rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], Width(c.text))
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
