package status

import (
	"strings"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

// wrote is lines as "process@second:text".
func wrote(words ...string) []LogLine {
	var lines []LogLine
	for _, w := range words {
		id, rest, _ := strings.Cut(w, "@")
		at, text, _ := strings.Cut(rest, ":")
		lines = append(lines, LogLine{Process: id, OutputLine: protocol.OutputLine{At: now.Add(time.Duration(at[0]-'0') * time.Second), Text: text}})
	}
	return lines
}

// A spawner that is stopped or stuck keeps nobody for longer than the status does.
func TestLogsOfASilentSpawner(t *testing.T) {
	t.Parallel()
	d := stateDir(t)
	listen(t, d, statedir.Spawn)
	hasty := caller
	hasty.Patience = 50 * time.Millisecond
	_, err := hasty.Logs(t.Context(), d, "shop")
	if err == nil || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Errorf("got %v", err)
	}
}

func TestNewLines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		before, now []LogLine
		want        string
	}{
		{"nothing before", nil, wrote("a@1:x"), "x"},
		{"the same", wrote("a@1:x", "a@2:y"), wrote("a@1:x", "a@2:y"), ""},
		{"one more", wrote("a@1:x"), wrote("a@1:x", "a@2:y"), "y"},
		{"one more of the same moment", wrote("a@1:x", "a@1:x"), wrote("a@1:x", "a@1:x", "a@1:x"), "x"},
		{"the first is forgotten", wrote("a@1:x", "a@2:y"), wrote("a@2:y", "a@3:z"), "z"},
		{"an older line of a new process", wrote("a@2:x"), wrote("b@1:y", "a@2:x"), "y"},
		{"all is new", wrote("a@1:x"), wrote("a@3:y", "a@4:z"), "yz"},
	} {
		got := ""
		for _, l := range NewLines(tt.before, tt.now) {
			got += l.Text
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
