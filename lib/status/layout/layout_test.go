package layout

import (
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

func TestUnits(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"0s": Span(0), "0.3s": Span(0.26), "59s": Span(59.99), "1m": Span(60), "3h 12m": Span(11520), "2d 1h": Span(49*3600 + 1),
		"-": Size(-1), "0.0 MiB": Size(0), "9.9 MiB": Size(10_420_000), "10 MiB": Size(10_450_000), "12.0 GiB": Size(12 << 30),
		"0": Count(0), "999": Count(999), "1,000": Count(1000), "1,234,567": Count(1234567),
		"never": Ago(now, time.Time{}), "just now": Ago(now, now.Add(-time.Millisecond)), "4s ago": Ago(now, now.Add(-4500*time.Millisecond)),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line    string
		columns int
		want    string
	}{
		{"shop", 4, "shop"}, {"shops", 4, "sho…"}, {"", 0, ""}, {"\x1b[1mshop\x1b[0m", 4, "\x1b[1mshop\x1b[0m"},
		{"\x1b[1mshops\x1b[0m", 4, "\x1b[1msho…\x1b[0m"}, {"日本語", 6, "日本語"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"},
		{"e\u0301e\u0301", 2, "e\u0301e\u0301"}, {"a\tb", 3, "a b"},
	} {
		if got := Cut(tt.line, tt.columns); got != tt.want {
			t.Errorf("Cut(%q, %d): got %q, want %q", tt.line, tt.columns, got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := func(width int) string {
		tab := Table{Right: []bool{false, true}, Width: width, Spare: []int{1}}
		tab.Add(Marked("NAME", Pen(false).Bold), Plain("N"), Plain(""))
		tab.Add(Plain("日本"), Plain("12"), Plain("x"))
		var b strings.Builder
		tab.Write(&b, " ")
		return b.String()
	}
	for width, want := range map[int]string{0: " NAME   N\n 日本  12  x\n", 80: " NAME   N\n 日本  12  x\n", 8: " NAME\n 日本  x\n"} {
		if got := table(width); got != want {
			t.Errorf("width %d: got %q, want %q", width, got, want)
		}
	}
}
