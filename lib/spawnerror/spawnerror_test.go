package spawnerror

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

var missingGem = &protocol.SpawnError{
	Category: protocol.CategoryDependency, Summary: `the gem "sinatra" is not installed`, Advice: `Run "bundle install" in /srv/shop, as the app's user.`,
	App: "shop", ProcessID: "ab12cd34", Generation: 3, At: time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC),
	Phases: []protocol.Phase{{Name: "prepare", Took: 0.0004}, {Name: "exec", Took: 0.006}, {Name: "load", Took: 0.31, Failed: true}},
	Output: []string{
		"/srv/shop/config.ru:1:in `require': cannot load such file -- sinatra (LoadError)", "\tfrom /srv/shop/config.ru:1:in `block in <main>'",
		"\x1b[31mred\x1b[0m and \x1b[2Jcleared, <script>alert(1)</script> & \xff",
	},
	Exit:    &protocol.Exit{Cause: "exited with status 1", Status: 1},
	Command: []string{"ruby", "rack.rb", "config.ru"}, AppRoot: "/srv/shop", User: "shop",
	Environment: map[string]string{"RACK_ENV": "production", "SECRET_KEY_BASE": "[redacted]", "HTML": `"><b>`},
}

var hung = &protocol.SpawnError{
	Category: protocol.CategoryTimeout, Summary: "the app was still loading after 5s; it waits in connect(2) to 10.0.0.1:5432",
	App: "blog", Phases: []protocol.Phase{{Name: "prepare"}, {Name: "preload", Took: 5, Failed: true}}, Output: []string{},
	WaitsIn: "connect(2) to 10.0.0.1:5432", Stack: []string{"/srv/blog/db.py:7 in connect", "/srv/blog/passenger_wsgi.py:1 in <module>"},
}

func TestText(t *testing.T) {
	t.Parallel()
	golden(t, "missing-gem.txt", Text(missingGem))
	golden(t, "hung.txt", Text(hung))
}

func TestHTML(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]Page{
		"missing-gem.html": {Error: missingGem, Status: 503, RequestID: "r-1"}, "hung.html": {Error: hung},
	} {
		b := page.HTML()
		golden(t, name, string(b))
		for _, bad := range []string{"<script", "<b>", "\x1b", "\xff", "ZgotmplZ", "http://", "https://"} {
			if strings.Contains(string(b), bad) {
				t.Errorf("%s has %q in it", name, bad)
			}
		}
	}
}

func TestMarkedLines(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"ModuleNotFoundError: No module named 'flask'": true,
		"Error: Cannot find module 'express'":          true,
		"a.rb:1:in `x': boom (RuntimeError)":           true,
		"config.ru:3: syntax error, unexpected end":    true,
		"sh: 1: exec: puma: not found":                 true,
		"ActiveRecord::NoDatabaseError":                true,
		"panic: runtime error":                         true,
		"  File \"x.py\", line 3, in <module>":         false,
		"listening on port 3000":                       false,
		"no errors":                                    false,
	} {
		if got := marked(&protocol.SpawnError{Output: []string{text}})[0].Marked; got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestNextSaysWhenAndHow(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		at        time.Time
		atRequest bool
		want      string
	}{
		{now.Add(12400 * time.Millisecond), false, `The next try is in 12s, at 03:00:12 UTC. "passenger restart" or "passenger-pool restart shop" tries now.`},
		{now.Add(time.Second), true, `The next try is in 1s, at 03:00:01 UTC. Load the page again to try at once. "passenger restart" or "passenger-pool restart shop" tries now.`},
		{now.Add(-time.Second), false, `The app is being started again now. "passenger restart" or "passenger-pool restart shop" tries now.`},
	} {
		if got := Next("shop", tt.at, now, tt.atRequest); got != tt.want {
			t.Errorf("got %s\nwant %s", got, tt.want)
		}
	}
}
