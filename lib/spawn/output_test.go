package spawn

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

// A record of Writes.
type writes struct {
	mu  sync.Mutex // guards all
	all [][]byte
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, bytes.Clone(b))
	return len(b), nil
}

// through sends text through a FIFO and returns what came out.
func through(t *testing.T, text string) (*writes, *output) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "output")
	if err := makeOutput(path, os.Geteuid()); err != nil {
		t.Fatal(err)
	}
	w := &writes{}
	o, err := readOutput(path, "[app 7] ", w)
	if err != nil {
		t.Fatal(err)
	}
	app, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	if _, err := app.WriteString(text); err != nil {
		t.Fatal(err)
	}
	o.finish()
	return w, o
}

func TestOutputPassesWholeLinesOn(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxLine/2)
	for _, tt := range []struct{ name, in, want string }{
		{"lines", "a\nb\n", "[app 7] a\n[app 7] b\n"},
		{"empty line", "a\n\nb\n", "[app 7] a\n[app 7] \n[app 7] b\n"},
		{"no last newline", "a\nlast", "[app 7] a\n[app 7] last\n"},
		{"returns", "a\r\n", "[app 7] a\n"},
		{"not UTF-8", "\xff\x00\n", "[app 7] \xff\x00\n"},
		{"a long line", long + "\nb\n", "[app 7] " + long + "\n[app 7] b\n"},
		{"a line too long", long + long + long + "\nb\n", "[app 7] " + long + long + "\n[app 7] " + long + "\n[app 7] b\n"},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, _ := through(t, tt.in)
			var got []byte
			for _, b := range w.all {
				if !bytes.HasPrefix(b, []byte("[app 7] ")) || !bytes.HasSuffix(b, []byte("\n")) {
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
	if diff := cmp.Diff(want, o.last()); diff != "" {
		t.Error(diff)
	}
	_, o = through(t, strings.Repeat("y", 3*tailLine)+"\n")
	if got := o.last(); len(got) != 1 || len(got[0]) != tailLine {
		t.Errorf("got %d lines, the first of %d bytes, want 1 of %d", len(got), len(got[0]), tailLine)
	}
}
