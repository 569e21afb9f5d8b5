package spawnerror

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// frames are n of a framework in the form of a language.
func frames(n int, form string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(form, i)
	}
	return list
}

func TestTailBeginsWithTheAppsOwnFrame(t *testing.T) {
	t.Parallel()
	const (
		gem     = "\tfrom /usr/lib/gems/rack/%d.rb:1:in `x'"
		library = "  File \"/usr/lib/python3/x%d.py\", line 1, in x"
		module  = "    at x (/srv/shop/node_modules/m/%d.js:1:1)"
	)
	before := frames(40, "I, [%d] a line of the app's log in /srv/shop/log")
	for _, tt := range []struct {
		name  string
		lines []string
		want  []string // at the begin
		last  string
	}{
		{"Ruby", slices.Concat(before, []string{"/usr/lib/gems/rack/1.rb:1:in `y': no (KeyError)"}, frames(9, gem), []string{"\tfrom /srv/shop/config/a.rb:3:in `z'"}, frames(60, gem)),
			[]string{"/usr/lib/gems/rack/1.rb:1:in `y': no (KeyError)", "\tfrom /srv/shop/config/a.rb:3:in `z'", "\tfrom /usr/lib/gems/rack/0.rb:1:in `x'"}, "\tfrom /usr/lib/gems/rack/59.rb:1:in `x'"},
		{"Python", slices.Concat(before, []string{"Traceback (most recent call last):"}, frames(9, library), []string{`  File "/srv/shop/a.py", line 3, in z`}, frames(60, library), []string{"KeyError: 'no'"}),
			[]string{`  File "/srv/shop/a.py", line 3, in z`, `  File "/usr/lib/python3/x0.py", line 1, in x`}, "KeyError: 'no'"},
		{"Node.js", slices.Concat(before, []string{"TypeError: no"}, frames(9, module), []string{"    at z (/srv/shop/a.js:3:1)"}, frames(60, module)),
			[]string{"TypeError: no", "    at z (/srv/shop/a.js:3:1)", "    at x (/srv/shop/node_modules/m/0.js:1:1)"}, "    at x (/srv/shop/node_modules/m/59.js:1:1)"},
		{"no backtrace", frames(40, "line %d"), []string{"line 10", "line 11"}, "line 39"},
		{"all fits", frames(20, "line %d"), []string{"line 0"}, "line 19"},
	} {
		got := Tail(tt.lines, "/srv/shop", textOutput)
		if len(got) > textOutput || len(got) < len(tt.want) || !slices.Equal(got[:len(tt.want)], tt.want) || got[len(got)-1] != tt.last {
			t.Errorf("%s: got %d lines\n%s\nwant them to begin with\n%s", tt.name, len(got), strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

func TestShortTailHasTheErrorAndTheAppsOwnFrame(t *testing.T) {
	t.Parallel()
	lines := slices.Concat([]string{"/srv/shop/a.js:3", "throw new Error()", "^", "", "Error: no shop", "    at Object.x (/srv/shop/a.js:3:1)"},
		frames(7, "    at node:internal/%d:1:1"), []string{"", "Node.js v20.20.2"})
	want := []string{"Error: no shop", "    at Object.x (/srv/shop/a.js:3:1)", "    at node:internal/0:1:1", "… 7 more lines …", "Node.js v20.20.2"}
	if got := Tail(lines, "/srv/shop", 5); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
