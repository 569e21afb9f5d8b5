package visible

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                               "",
		"plain, with a\ttab":             "plain, with a\ttab",
		"Grüße, 東京, \U0001f600, �":       "Grüße, 東京, \U0001f600, �",
		"done\rpool: app \"x\" is gone":  `done\rpool: app "x" is gone`,
		"one\ntwo":                       `one\ntwo`,
		"\x1b[31mred\x1b[0;1m bold":      "red bold",
		"\x1b[2J\x1b]0;title\x07":        `\x1b[2J\x1b]0;title\x07`,
		"\x1b[31":                        `\x1b[31`,
		"\u009b2J\x9b2J":                 `\u009b2J\x9b2J`,
		"NUL\x00 BS\b DEL\x7f NEL\u0085": `NUL\x00 BS\x08 DEL\x7f NEL\u0085`,
		"a\u202egnp.exe\u2066b\u2069":    `a\u202egnp.exe\u2066b\u2069`,
		"a\u200eb\u061cc\u2028d":         `a\u200eb\u061cc\u2028d`,
		"\xff\xed\xa0\x80\xe2\x80":       `\xff\xed\xa0\x80\xe2\x80`,
	} {
		if got := Line(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		if got := string(AppendLine([]byte("> "), []byte(text))); got != "> "+want {
			t.Errorf("AppendLine of %q: got %q, want %q", text, got, want)
		}
	}
	if got, want := Text("one\ntwo\r\n"), "one\ntwo\\r\n"; got != want {
		t.Errorf("Text: got %q, want %q", got, want)
	}
}

func FuzzLine(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[31mred\x1b[m", "\x1b[\x1b[1mm", "a\u202eb\xff\n", "\x1b[0\x1b[0mm"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line := Line(s)
		if again := Line(line); again != line {
			t.Errorf("%q: not stable: %q, then %q", s, line, again)
		}
		if !utf8.ValidString(line) {
			t.Errorf("%q: %q is not UTF-8", s, line)
		}
		for _, r := range line {
			if r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
				t.Errorf("%q: %q has %U in it", s, line, r)
			}
		}
		if text := Text(s); strings.Count(text, "\n") != strings.Count(s, "\n") {
			t.Errorf("%q: %q has lost lines", s, text)
		}
		if appended := string(AppendLine(nil, []byte(s))); appended != line {
			t.Errorf("%q: AppendLine is %q, Line is %q", s, appended, line)
		}
	})
}
