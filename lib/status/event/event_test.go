package event

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
	"passenger/lib/status"
)

var now = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

// after is a time so many seconds from now.
func after(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }

func ready(id string, at int) protocol.Process {
	return protocol.Process{ID: id, App: "shop", Generation: 2, PID: 100 + at, State: protocol.Ready, StartedAt: after(at - 1), ReadyAt: after(at)}
}

func snapshot(at int, rejected uint64, processes ...protocol.Process) status.Snapshot {
	return status.Snapshot{
		At:        after(at),
		Parts:     []status.Part{{Name: "spawn", State: status.Up}, {Name: "pool", State: status.Up}},
		Processes: &protocol.ProcessList{Processes: processes},
		Apps:      &protocol.AppList{Apps: []protocol.App{{Name: "shop"}}},
		Proxy:     &protocol.ProxyApps{Report: protocol.ProxyReport{Apps: map[string]protocol.AppReport{"shop": {Rejected: rejected}}}},
	}
}

// look shortens events to what a table can hold.
func look(events []Event) []string {
	found := []string{}
	for _, e := range events {
		found = append(found, strings.TrimSpace(strings.Join([]string{e.Event, e.App, e.Process, e.Part, e.Cause}, " ")))
	}
	return found
}

func TestFollowerTellsEachEventOnce(t *testing.T) {
	t.Parallel()
	exited := ready("aa", 1)
	exited.State, exited.Exit = protocol.Exited, &protocol.Exit{At: after(5), Cause: "killed by SIGKILL", Signal: "SIGKILL"}
	failed, deployed, silent := snapshot(8, 0, ready("bb", 2)), snapshot(9, 0, ready("bb", 2)), snapshot(10, 0)
	failed.Apps.Apps[0].LastError = &protocol.SpawnError{At: after(8), Summary: "no config.ru", ProcessID: "cc"}
	deployed.Apps.Apps[0].Restart = &protocol.Restart{Generation: 3, State: protocol.RestartDone, BeganAt: after(8), EndedAt: after(9)}
	silent.Parts[0].State, silent.Parts[0].Error, silent.Processes = status.Silent, "no answer", nil
	refused := snapshot(12, 0, ready("bb", 2))
	refused.Apps.Refused = []protocol.Refusal{{App: "shop", File: "/srv/shop/Passengerfile.json", At: after(12), Message: "unknown key"}}

	f := &Follower{}
	for i, step := range []struct {
		s    status.Snapshot
		want []string
	}{
		{snapshot(3, 4, ready("bb", 2), ready("aa", 1)), []string{"started shop aa", "started shop bb"}},
		{snapshot(4, 4, ready("bb", 2), ready("aa", 1)), nil},
		{snapshot(5, 9, ready("bb", 2), exited), []string{"exited shop aa  killed by SIGKILL", "queue_full shop"}},
		{snapshot(6, 1, ready("bb", 2), exited), []string{"queue_full shop"}}, // a new proxy
		{failed, []string{"start_failed shop cc  no config.ru"}},
		{deployed, []string{"deployed shop"}},
		{silent, []string{"part_down   spawn no answer"}},
		{snapshot(11, 0, ready("bb", 2), exited), []string{"part_up   spawn"}},
		{refused, []string{"refused shop   unknown key"}},
		{snapshot(13, 0, ready("bb", 2)), nil},
	} {
		want := step.want
		if want == nil {
			want = []string{}
		}
		if diff := cmp.Diff(want, look(f.Next(step.s))); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestFollowerForgets(t *testing.T) {
	t.Parallel()
	f := &Follower{}
	f.Next(snapshot(3, 0, ready("aa", 1)))
	f.Next(snapshot(4+int(remembered.Seconds()), 0))
	if len(f.seen) != 0 {
		t.Errorf("got %d events still known after %v, want none", len(f.seen), remembered)
	}
}

// Whatever a recording has: in a directory that a group shares it may be another
// user's.
func TestTextIsVisible(t *testing.T) {
	t.Parallel()
	text := Event{At: now, Event: "exited\x1b[2J", App: "a\x1b[2Jb", Part: "\x1b]0;pool\a", PID: 7, Took: 61, Cause: "exited\nwith 1", Output: []string{"\x1b]0;title\a"}}.Text(false)
	if strings.ContainsAny(text, "\x1b\a") || !strings.Contains(text, `pid 7, after 1m 1s: exited\nwith 1`) {
		t.Errorf("got %q", text)
	}
}

func TestBad(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		e    Event
		want bool
	}{
		{Event{Event: Started}, false},
		{Event{Event: Exited, ByUs: true}, false},
		{Event{Event: Exited}, true},
		{Event{Event: DeployFailed}, true},
		{Event{Event: PartUp}, false},
		{Event{Event: QueueFull}, true},
	} {
		if got := tt.e.Bad(); got != tt.want {
			t.Errorf("%+v: got %v, want %v", tt.e, got, tt.want)
		}
	}
}
