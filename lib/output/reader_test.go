package output

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A record is what a sink got.
type record struct {
	mu  sync.Mutex // guards all
	all map[Stream][][]byte
}

func (r *record) Lines(_ *Source, stream Stream, text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[Stream][][]byte{}
	}
	r.all[stream] = append(r.all[stream], bytes.Clone(text))
}

// fifos makes the two of a process.
func fifos(t *testing.T) (stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	stdout, stderr = filepath.Join(dir, "stdout"), filepath.Join(dir, "stderr")
	for _, path := range []string{stdout, stderr} {
		if err := MakeFIFO(path, os.Geteuid()); err != nil {
			t.Fatal(err)
		}
	}
	return stdout, stderr
}

func write(t *testing.T, path, text string) {
	t.Helper()
	app, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	if _, err := app.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// through sends text through stdout's FIFO and returns what came out.
func through(t *testing.T, text string) (*record, *Process) {
	t.Helper()
	stdout, stderr := fifos(t)
	r := &record{}
	p, err := Read(stdout, stderr, &Source{App: "app", PID: 7}, r)
	if err != nil {
		t.Fatal(err)
	}
	write(t, stdout, text)
	p.Finish()
	return r, p
}

func TestOutputPassesWholeLinesOn(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxLine/2)
	for _, tt := range []struct{ name, in, want string }{
		{"lines", "a\nb\n", "a\nb\n"},
		{"empty line", "a\n\nb\n", "a\n\nb\n"},
		{"no last newline", "a\nlast", "a\nlast\n"},
		{"returns", "a\r\n", "a\n"},
		{"not UTF-8", "\xff\x00\n", "\xff\x00\n"},
		{"a long line", long + "\nb\n", "" + long + "\nb\n"},
		{"a line too long", long + long + long + "\nb\n", "" + long + long + "\n" + long + "\nb\n"},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, _ := through(t, tt.in)
			var got []byte
			for _, b := range r.all[Stdout] {
				if !bytes.HasSuffix(b, []byte("\n")) {
					t.Errorf("a write of no whole lines: %.40q", b)
				}
				got = append(got, b...)
			}
			if string(got) != tt.want {
				t.Errorf("got %.80q (%d bytes), want %.80q (%d bytes)", got, len(got), tt.want, len(tt.want))
			}
		})
	}
}

func TestOutputKeepsTheLastLines(t *testing.T) {
	t.Parallel()
	var in strings.Builder
	var want []string
	for i := range tailLines + 50 {
		fmt.Fprintf(&in, "%d\n", i)
		if i >= 50 {
			want = append(want, fmt.Sprint(i))
		}
	}
	_, o := through(t, in.String())
	var got []string
	for _, line := range o.Last() {
		got = append(got, line.Text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, o = through(t, strings.Repeat("y", 3*tailLine)+"\n")
	if got := o.Last(); len(got) != 1 || len(got[0].Text) != tailLine {
		t.Errorf("got %d lines, the first of %d bytes, want 1 of %d", len(got), len(got[0].Text), tailLine)
	}
}

func TestStreamsDoNotTearEachOther(t *testing.T) {
	t.Parallel()
	stdout, stderr := fifos(t)
	r := &record{}
	p, err := Read(stdout, stderr, &Source{App: "app"}, r)
	if err != nil {
		t.Fatal(err)
	}
	write(t, stdout, "half a ")
	write(t, stderr, "oops\n")
	write(t, stdout, "line\n")
	p.Finish()
	want := map[Stream]string{Stdout: "half a line\n", Stderr: "oops\n"}
	for stream, want := range want {
		if got := string(bytes.Join(r.all[stream], nil)); got != want {
			t.Errorf("%s: got %q, want %q", stream, got, want)
		}
	}
	if last := p.Last(); len(last) != 2 {
		t.Errorf("got last lines %+v, want 2", last)
	}
}
