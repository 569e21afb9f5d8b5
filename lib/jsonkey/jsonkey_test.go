package jsonkey

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTwins(t *testing.T) {
	t.Parallel()
	many := func(last string) string {
		var keys []string
		for i := range 3 * mostFew {
			keys = append(keys, fmt.Sprintf(`"k%d":%d`, i, i))
		}
		return "{" + strings.Join(keys, ",") + "," + last + ":0}"
	}
	for text, want := range map[string][]Twin{
		`{}`:                                    nil,
		`null`:                                  nil,
		`"a"`:                                   nil,
		`{"a":1,"b":1,"A":1}`:                   nil,
		`{"a":1,"a":2}`:                         {{"a", 7}},
		`{"a":1,"\u0061":2}`:                    {{"a", 7}},
		`{"a":"a","b":"a"}`:                     nil,
		`{"a":["a","a"],"b":{"a":1}}`:           nil,
		`{"a":{"b":1, "b":1},"b":[{},{"c":1}]}`: {{"a.b", 13}},
		`[{"a":1},{"a":1,"a":1,"a":1}]`:         {{"a", 16}, {"a", 22}},
		`{"a":"\"a\":1,","a":1}`:                {{"a", 16}},
		`{"a":"\\","a":1}`:                      {{"a", 10}},
		many(`"k47"`):                           {{"k47", 413}},
		many(`"k3"`):                            {{"k3", 413}},
		many(`"k48"`):                           nil,
	} {
		if !json.Valid([]byte(text)) {
			t.Fatalf("%s is no JSON", text)
		}
		if diff := cmp.Diff(want, Twins([]byte(text), 9)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", text, diff)
		}
	}
	if got := Twins([]byte(`{"a":1,"a":1,"a":1}`), 1); len(got) != 1 {
		t.Errorf("got %v, want no more than asked for", got)
	}
}

// FuzzTwins compares with what encoding/json's tokens say.
func FuzzTwins(f *testing.F) {
	f.Add(`{"a":[{"b":1,"b":"\""}],"\u0061":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			return
		}
		d := json.NewDecoder(strings.NewReader(text))
		if got, want := len(Twins([]byte(text), 1000)), twins(t, d); got != min(want, 1000) {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	})
}

// twins counts those of the next value of d.
func twins(t *testing.T, d *json.Decoder) int {
	token, err := d.Token()
	if err != nil {
		t.Skip(err) // a number too large, or nested too deep
	}
	n := 0
	switch token {
	case json.Delim('['):
		for d.More() {
			n += twins(t, d)
		}
	case json.Delim('{'):
		seen := map[string]bool{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				t.Skip(err)
			}
			if seen[key.(string)] {
				n++
			}
			seen[key.(string)] = true
			n += twins(t, d)
		}
	default:
		return 0
	}
	if _, err := d.Token(); err != nil {
		t.Skip(err)
	}
	return n
}
