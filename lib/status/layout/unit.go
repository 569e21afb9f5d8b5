package layout

import (
	"fmt"
	"strconv"
	"time"
)

// None stands where a value is unknown or there is none.
const None = "-"

// Span writes a duration in seconds with its two largest units: "4s", "3h 12m".
func Span(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return strconv.FormatFloat(max(0, d.Round(100*time.Millisecond).Seconds()), 'f', -1, 64) + "s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return pair(int(d.Minutes()), "m", int(d.Seconds())%60, "s")
	case d < 24*time.Hour:
		return pair(int(d.Hours()), "h", int(d.Minutes())%60, "m")
	}
	return pair(int(d.Hours())/24, "d", int(d.Hours())%24, "h")
}

func pair(large int, unit string, small int, smaller string) string {
	if small == 0 {
		return strconv.Itoa(large) + unit
	}
	return fmt.Sprintf("%d%s %d%s", large, unit, small, smaller)
}

// Ago writes how long before now t was, "never" for the zero time.
func Ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	if d := now.Sub(t); d >= time.Second {
		return Span(d.Truncate(time.Second).Seconds()) + " ago"
	}
	return "just now"
}

// Size writes bytes in MiB, with a digit after the point below ten.
func Size(bytes int64) string {
	mib := float64(bytes) / (1 << 20)
	switch {
	case bytes < 0:
		return None
	case mib < 9.95:
		return fmt.Sprintf("%.1f MiB", mib)
	case mib < 9999.5:
		return fmt.Sprintf("%.0f MiB", mib)
	}
	return fmt.Sprintf("%.1f GiB", mib/1024)
}

// Count writes a number with a comma at the thousands.
func Count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Plural writes "1 process", "2 processes".
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(uint64(n)) + " " + many
}
