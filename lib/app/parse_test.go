package app

import (
	"fmt"
	"strings"
	"testing"
)

// An app's user can fill the file with anything: what is told of it is short, and
// said soon.
func TestWhatIsToldOfSettingsIsBounded(t *testing.T) {
	t.Parallel()
	many := func(n int, format string) string {
		keys := make([]string, n)
		for i := range keys {
			keys[i] = fmt.Sprintf(format, i)
		}
		return "{" + strings.Join(keys, ",") + "}"
	}
	for name, c := range map[string]struct{ text, want string }{
		"unknown keys":                        {many(50_000, `"%x":1`), "more than 1000 keys"},
		"some unknown keys":                   {many(900, `"min_instancez%d":1`), "900 settings are wrong:"},
		"wrong values":                        {many(900, `"min_instances":"%d"`), "and 900 more"},
		"a long key":                          {`{"` + strings.Repeat("min_instances", 30_000) + `":1}`, "unknown key"},
		"options that mean nothing, and more": {many(50_000, `"nginx_%x":1`), "more than 1000 keys"},
	} {
		_, err := Parse([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 4<<10 {
			text := fmt.Sprint(err)
			t.Errorf("%s: got %d bytes, %.200s; want %q in it", name, len(text), text, c.want)
		}
	}
	c, err := Parse([]byte(many(900, `"nginx_%d":1`)))
	if w := Warnings(c); err != nil || len(c.Unused) != 900 || len(w) != 21 || w[20] != "880 more keys of Phusion Passenger have no meaning here" {
		t.Errorf("got %d warnings, %v", len(w), err)
	}
}
