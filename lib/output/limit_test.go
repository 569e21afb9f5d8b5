package output

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnAppIsKeptToItsRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w bytes.Buffer
		l := NewLog(&w, Text)
		l.Limit(Rate{Lines: 100, Bytes: 10 << 10})
		lines := func(app, line string, n int) {
			l.Lines(&Source{App: app, PID: 1}, Stdout, []byte(strings.Repeat(line+"\n", n)))
			synctest.Wait()
		}
		count := func(app string) int { return strings.Count(w.String(), "["+app+" 1] ") }
		lines("flood", "x", 3000)
		if n := count("flood"); n < 1000 || n > 1001 {
			t.Errorf("got %d lines at once, want those of %v", n, rateBurst)
		}
		lines("quiet", "y", 500)
		if n := count("quiet"); n != 500 {
			t.Errorf("another app: got %d lines, want 500", n)
		}
		time.Sleep(time.Second)
		lines("flood", "x", 3000)
		if n := count("flood"); n < 1100 || n > 1102 {
			t.Errorf("got %d lines a second later, want 100 more", n)
		}
		if n := strings.Count(w.String(), `[passenger] app "flood" writes more than 100 lines or 10240 bytes a second: `); n != 1 {
			t.Errorf("the log speaks of it %d times, want once", n)
		}
		time.Sleep(time.Minute)
		before := count("flood")
		lines("flood", strings.Repeat("x", 1023), 3000)
		if n := count("flood") - before; n < 100 || n > 101 {
			t.Errorf("got %d long lines, want the bytes of %v", n, rateBurst)
		}
		if n := strings.Count(w.String(), `app "flood" writes more`); n != 2 {
			t.Errorf("the log speaks of it %d times, want once more", n)
		}
		if got := l.Limited(); got["flood"] < 7700 || got["quiet"] != 0 {
			t.Errorf("got %v dropped", got)
		}
		l.Close(time.Second)
	})
}
