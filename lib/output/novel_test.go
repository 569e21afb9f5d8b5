package output

import (
	"bytes"
	"testing"
	"time"
)

func TestSameFailureIsShownOnce(t *testing.T) {
	t.Parallel()
	const trace = "Traceback:\n  File app.py\nno database\n"
	var out bytes.Buffer
	log := NewLog(&out, Text)
	n := &Novel{To: log}
	pid := 0
	begin := func(texts ...string) *Source {
		pid++
		from := &Source{App: "shop", PID: pid}
		n.Begin(from)
		for _, text := range texts {
			n.Lines(from, Stderr, []byte(text))
		}
		return from
	}
	n.Ended(begin(trace))
	n.Ended(begin("Traceback:\n", "  File app.py\nno database\n")) // the same
	n.Ended(begin("Traceback:\n", "  File app.py\n", "no disk\n")) // another
	n.Ended(begin("Traceback:\n"))                                 // less
	n.Ended(begin())                                               // nothing
	ready := begin("Traceback:\n")                                 // begins alike, but goes well
	n.Ready(ready)
	n.Lines(ready, Stdout, []byte("served\n"))
	n.Ended(ready)
	n.Ended(begin(trace)) // after a start that went well it is news
	log.Close(time.Second)
	want := "[shop 1] Traceback:\n[shop 1]   File app.py\n[shop 1] no database\n" +
		"[shop 2] (the same 3 lines as at the last start)\n" +
		"[shop 3] Traceback:\n[shop 3]   File app.py\n[shop 3] no disk\n" +
		"[shop 4] Traceback:\n" +
		"[shop 6] Traceback:\n[shop 6] served\n" +
		"[shop 7] Traceback:\n[shop 7]   File app.py\n[shop 7] no database\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
