// Package visible makes the words of an app fit for a terminal and for a log
// that is text.
//
// What an app says may come from its clients. Raw, it could move the cursor,
// set the title, hide what stands around it, turn its direction round or
// pretend to be a line of another program.
package visible

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns s as part of one line: characters that would not show, a
// newline among them, are written as in Go, such as \r, \x1b and \u202e, and
// bytes that are not UTF-8 such as \xff. A tab stays. Sequences that only set
// colours are left out.
func Line(s string) string { return clean(s, "\t") }

// Text is Line for what may have several lines: newlines stay.
func Text(s string) string { return clean(s, "\t\n") }

// AppendLine appends Line of text to dst.
func AppendLine(dst, text []byte) []byte {
	for len(text) > 0 {
		if n := colour(text); n > 0 {
			text = text[n:]
			continue
		}
		r, n := utf8.DecodeRune(text)
		dst = appendRune(dst, r, text[:n], "\t")
		text = text[n:]
	}
	return dst
}

func clean(s, kept string) string {
	first := strings.IndexFunc(s, func(r rune) bool { return hides(r) && !strings.ContainsRune(kept, r) })
	if first < 0 {
		return s
	}
	dst := append(make([]byte, 0, len(s)+16), s[:first]...)
	for rest := s[first:]; rest != ""; {
		if n := colour(rest); n > 0 {
			rest = rest[n:]
			continue
		}
		r, n := utf8.DecodeRuneInString(rest)
		dst = appendRune(dst, r, rest[:n], kept)
		rest = rest[n:]
	}
	return string(dst)
}

func appendRune[T string | []byte](dst []byte, r rune, encoded T, kept string) []byte {
	switch {
	case !hides(r) || strings.ContainsRune(kept, r):
		return append(dst, encoded...)
	case r == utf8.RuneError && len(encoded) == 3: // the character itself
		return append(dst, encoded...)
	case r == utf8.RuneError:
		return fmt.Appendf(dst, `\x%02x`, encoded[0])
	case r == '\n':
		return append(dst, `\n`...)
	case r == '\r':
		return append(dst, `\r`...)
	case r < 0x80:
		return fmt.Appendf(dst, `\x%02x`, r)
	}
	return fmt.Appendf(dst, `\u%04x`, r)
}

// hides says whether a character may not go to a terminal as it is: C0, DEL,
// C1, those that set the direction of what follows, and those that end a line.
// What is not UTF-8 is utf8.RuneError.
func hides(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7f
	}
	return r < 0xa0 || r == utf8.RuneError || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}

// colour is how long the sequence is that s begins with, by which programs
// colour what they write (CSI … m, see console_codes(4)); 0 for any other.
func colour[T string | []byte](s T) int {
	if len(s) < 3 || s[0] != 0x1b || s[1] != '[' {
		return 0
	}
	for i := 2; i < len(s); i++ {
		switch c := s[i]; {
		case c == 'm':
			return i + 1
		case (c < '0' || c > '9') && c != ';':
			return 0
		}
	}
	return 0
}
