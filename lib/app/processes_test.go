package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
)

func TestSideProcessesHaveDefaults(t *testing.T) {
	t.Parallel()
	given := map[string]protocol.SideProcess{"worker": {Command: "./work", StopSignal: "SIGINT"}, "none": {Count: new(0), StopGrace: 5}}
	c := WithDefaults(protocol.AppConfig{AppRoot: t.TempDir(), StopGrace: 40, Processes: given})
	want := map[string]protocol.SideProcess{
		"worker": {Command: "./work", Count: new(1), StopSignal: "INT", StopGrace: 40, ReadyAfter: 3},
		"none":   {Count: new(0), StopSignal: "TERM", StopGrace: 5, ReadyAfter: 3},
	}
	if diff := cmp.Diff(want, c.Processes); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if given["worker"].Count != nil {
		t.Error("the settings given were changed")
	}
	if err := Validate(c); err != nil {
		t.Error(err)
	}
}

func TestSideProcessesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ json, want string }{
		{`{"web": {}}`, `"web": the processes that serve are the app's own`},
		{`{"a b": {}}`, `"a b": a type has 1 to 40 characters`},
		{`{"w": {"count": -1}}`, `"w": count is -1`},
		{`{"w": {"stop_signal": "TERMINATE"}}`, `stop_signal: unknown signal "TERMINATE"`},
		{`{"w": {"quiet_time": 3}}`, "quiet_time is set, and no quiet_signal"},
		{`{"w": {"ready_after": 91}}`, "ready_after is 91 seconds; it must be 0 to 90"},
		{`{"w": {"stop_grace": -1}}`, "stop_grace is -1 seconds"},
		{`{"w": {"memory_limit": -1}}`, "memory_limit is -1"},
		{`{"w": {"required": true, "exclusive": true}}`, "which exclusive forbids"},
		{`{"w": {"comand": "x"}}`, `"w": unknown key "comand"; did you mean "command"?`},
		{`{"w": {"count": "many"}}`, `key "processes" takes an object of objects, not a string in it`},
		{`{"w": "./work"}`, `key "processes" takes an object of objects, not a string in it`},
	} {
		c, err := Parse([]byte(`{"processes": ` + tt.json + `}`))
		if err == nil {
			c.AppRoot = t.TempDir()
			err = Validate(WithDefaults(c))
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got error %v, want one with %q", tt.json, err, tt.want)
		}
	}
}

func TestCommandOfASideProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Procfile"), []byte("web: serve\nworker: A=1 ./work -q mail\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := protocol.AppConfig{AppRoot: dir, Processes: map[string]protocol.SideProcess{"worker": {}, "mine": {Command: "./mine"}, "clock": {}}}
	for _, tt := range []struct{ kind, command, err string }{
		{"worker", "env A=1 ./work -q mail", ""},
		{"mine", "./mine", ""},
		{"clock", "", `side process "clock" has no command, and there is none in the Procfile: it has no line for clock`},
		{"mail", "", `no side processes of type "mail"`},
	} {
		d, err := DetectSideAt(c, dir, tt.kind, false)
		if d.StartCommand != tt.command || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: got %q and error %v", tt.kind, d.StartCommand, err)
		}
	}
}
