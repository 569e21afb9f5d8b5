package layout

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// wide are the characters that take two columns of a terminal: those of East
// Asia, and emoji.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x2e80, Hi: 0x303e, Stride: 1}, {Lo: 0x3041, Hi: 0xa4cf, Stride: 1},
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, {Lo: 0xf900, Hi: 0xfaff, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff00, Hi: 0xff60, Stride: 1}, {Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0x1f300, Hi: 0x1faff, Stride: 1}, {Lo: 0x20000, Hi: 0x3fffd, Stride: 1}},
}

// columnsOf is how many columns of a terminal a character takes.
func columnsOf(r rune) int {
	switch {
	case r < 0x300: // the first mark that takes no column
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// Width is how many columns a text without marks takes.
func Width(s string) int {
	n := 0
	for _, r := range s {
		n += columnsOf(r)
	}
	return n
}

// Cut shortens a line with marks to so many columns, the last of them an
// ellipsis if something is missing. A tab becomes a space: how wide it would be
// depends on where it stands.
func Cut(line string, columns int) string {
	line = strings.ReplaceAll(line, "\t", " ")
	n, fits := 0, 0 // columns seen, and the end of what leaves room for an ellipsis
	for i := 0; i < len(line); {
		if mark := markAt(line[i:]); mark != "" {
			i += len(mark)
			continue
		}
		r, size := utf8.DecodeRuneInString(line[i:])
		if n += columnsOf(r); n > columns {
			return line[:fits] + "…" + unmarked(line)
		}
		if i += size; n < columns {
			fits = i
		}
	}
	return line
}

// unmarked ends the marks of a line that was cut, if it has any.
func unmarked(line string) string {
	if strings.Contains(line, "\x1b") {
		return reset
	}
	return ""
}

// reset ends every mark of a [Pen].
const reset = "\x1b[0m"

// markAt is the mark that s begins with, empty if it begins with none.
func markAt(s string) string {
	if !strings.HasPrefix(s, "\x1b[") {
		return ""
	}
	return s[:strings.IndexByte(s, 'm')+1]
}
