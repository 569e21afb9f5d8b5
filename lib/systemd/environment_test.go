package systemd

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseEnvironment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		list  []Assignment
		slips []Slip
	}{
		{"A=1\n# B=2\n; C=3\n\n D = 4 5 \nE=", []Assignment{{"A", "1", 1}, {"D", "4 5", 5}, {"E", "", 6}}, nil},
		{`A="x y"` + "\nB='p\\q'\nC=\"a\\\"b\\n\"", []Assignment{{"A", "x y", 1}, {"B", `p\q`, 2}, {"C", `a"b\n`, 3}}, nil},
		{"A=one,\\\n two\nB=3", []Assignment{{"A", "one, two", 1}, {"B", "3", 3}}, nil},
		{"A=\"one\ntwo\"\nB=3", []Assignment{{"A", "one\ntwo", 1}, {"B", "3", 3}}, nil},
		{"A=x\\ \nB=say \"it\"\r\n", []Assignment{{"A", "x ", 1}, {"B", `say "it"`, 2}}, nil},
		{"# more \\\nA=1\nB=2", []Assignment{{"B", "2", 3}}, nil},
		{"export A=1\nnothing\nB=2", []Assignment{{"B", "2", 3}}, []Slip{
			{1, `"export A" is no name of a variable: it has letters, digits and _ alone`},
			{2, `"nothing" is no assignment: it has not the form NAME=VALUE`},
		}},
		{"A=\"1\nB=2\n", []Assignment{{"A", "1\nB=2\n", 1}}, []Slip{{1, `the quotation mark " is not closed: all that follows is the value of A`}}},
		{"A=\x00", nil, []Slip{{1, "the value of A has a control character in it"}}},
	} {
		list, slips := ParseEnvironment(c.text)
		if diff := cmp.Diff(c.list, list); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", c.text, diff)
		}
		if diff := cmp.Diff(c.slips, slips); diff != "" {
			t.Errorf("%q: slips (-want +got)\n%s", c.text, diff)
		}
	}
}

func FuzzParseEnvironment(f *testing.F) {
	f.Add("A=1\nB=\"x\\\n\"'y'\n#c\\\nexport D=\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, slips := ParseEnvironment(text)
		lines := strings.Count(text, "\n") + 1
		last := 0
		for _, a := range list {
			if !variableName.MatchString(a.Name) || a.Line < 1 || a.Line > lines || a.Line < last {
				t.Errorf("got %+v of %d lines, after line %d", a, lines, last)
			}
			last = a.Line
		}
		for _, s := range slips {
			if s.Line < 1 || s.Line > lines {
				t.Errorf("got %+v of %d lines", s, lines)
			}
		}
	})
}
