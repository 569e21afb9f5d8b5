package status

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"passenger/lib/control"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/statedir"
	"passenger/lib/unixsock"
)

var caller = Caller{Program: "passenger-status", Release: "test", Patience: time.Minute}

func stateDir(t *testing.T) statedir.Dir {
	t.Helper()
	path, err := os.MkdirTemp("/tmp", "status") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(path) })
	d, err := statedir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func listen(t *testing.T, d statedir.Dir, daemon string) *net.UnixListener {
	t.Helper()
	lock, err := d.Lock(daemon)
	if err != nil {
		t.Fatal(err)
	}
	l, err := unixsock.Listen(d.Socket(daemon), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); lock.Unlock() })
	return l
}

// daemon runs a fake daemon that answers at path until the test ends.
func daemon(t *testing.T, d statedir.Dir, name, path string, reply any) {
	t.Helper()
	s := &control.Server{Program: "passenger-" + name, Release: "test"}
	s.Register(control.Call{Method: "GET", Path: path, Access: protocol.Reads, Handler: func(*control.Request) (any, error) { return reply, nil }})
	l := listen(t, d, name)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func states(parts []Part) string {
	var s []string
	for _, p := range parts {
		s = append(s, p.Name+" "+string(p.State))
	}
	return strings.Join(s, ", ")
}

func TestGatherAsksEveryPart(t *testing.T) {
	t.Parallel()
	d := stateDir(t)
	n := night()
	daemon(t, d, statedir.Spawn, protocol.PathProcesses, n.Processes)
	daemon(t, d, statedir.Pool, protocol.PathApps, n.Apps)
	daemon(t, d, statedir.Proxy, protocol.PathApps, n.Proxy)
	s, err := caller.Gather(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := states(s.Parts), "spawn up, pool up, proxy up"; got != want {
		t.Errorf("got %q, want %q: %+v", got, want, s.Parts)
	}
	st := s.Status()
	if !st.OK || len(st.Apps) != 2 || len(st.Apps[1].Processes) != 3 {
		t.Errorf("got %+v, want the two apps and three processes", st)
	}
	if st.Parts[0].PID != os.Getpid() {
		t.Errorf("got pid %d, want %d", st.Parts[0].PID, os.Getpid())
	}
}

func TestGatherOutlivesAPartThatHangs(t *testing.T) {
	t.Parallel()
	d := stateDir(t)
	daemon(t, d, statedir.Proxy, protocol.PathApps, night().Proxy)
	listen(t, d, statedir.Pool) // accepts in the kernel, and never answers
	hasty := caller
	hasty.Patience = 5 * time.Second // the proxy has it too
	s, err := hasty.Gather(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := states(s.Parts), "spawn down, pool silent, proxy up"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if p := s.Parts[1]; p.PID != os.Getpid() || p.Error != "no answer within 5s" {
		t.Errorf("got %+v, want its pid from the lock and how long we waited", p)
	}
	if s.Proxy == nil || s.Proxy.Connections != 40 {
		t.Errorf("got %+v, want the proxy's answer all the same", s.Proxy)
	}
}

func TestGatherReadsTheDirectoryWhenTheSpawnerIsDown(t *testing.T) {
	t.Parallel()
	d := stateDir(t)
	me := record(t, "self")
	other := me
	other.ID, other.StartTime = "gone", me.StartTime+1 // same number, another process
	for _, p := range []protocol.Process{me, other} {
		dir := d.Process(p.ID)
		if err := os.Mkdir(string(dir), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := statedir.WriteJSON(dir.Record(), p); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(d.Processes(), "bare"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := statedir.WriteJSON(d.Routes(), protocol.Routes{Version: 4, Apps: []*protocol.Route{{App: "shop", BaseURI: "/"}}}); err != nil {
		t.Fatal(err)
	}
	s, err := caller.Gather(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	st := s.Status()
	if len(st.Apps) != 1 || len(st.Apps[0].Processes) != 1 || st.Apps[0].Processes[0].ID != "self" {
		t.Fatalf("got %+v, want the one living process", st.Apps)
	}
	if st.Apps[0].Processes[0].Usage == nil {
		t.Error("got no usage")
	}
	if !st.Running() || st.OK {
		t.Errorf("got running %v, ok %v, want true, false", st.Running(), st.OK)
	}
}

// record is that of this very process.
func record(t *testing.T, id string) protocol.Process {
	t.Helper()
	me, err := proc.IdentityOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return protocol.Process{
		Version: 1, ID: id, App: "shop", State: protocol.Ready, PID: me.PID, StartTime: me.StartTime,
		BootID: me.BootID, StartedAt: time.Now().Add(-time.Minute),
	}
}

func TestGatherOfNothing(t *testing.T) {
	t.Parallel()
	s, err := caller.Gather(t.Context(), stateDir(t))
	if err != nil {
		t.Fatal(err)
	}
	if st := s.Status(); st.Running() || states(st.Parts) != "spawn down, pool down, proxy down" {
		t.Errorf("got %+v, want nothing", st)
	}
	if _, err := caller.Gather(t.Context(), statedir.At("/nonexistent")); !os.IsNotExist(err) && err == nil {
		t.Errorf("got %v, want that there is no such directory", err)
	}
}

func TestFindSeesOnlyWhatRuns(t *testing.T) {
	base := filepath.Join(t.TempDir(), "p")
	t.Setenv("PASSENGER_STATE_DIR", base)
	if got := Find(); len(got) != 0 {
		t.Errorf("got %q, want none", got)
	}
	if _, err := statedir.Open(base + "-3000"); err != nil {
		t.Skip(err) // the temporary folder's name is too long for sockets
	}
	d, err := statedir.Open(base + "-8080")
	if err != nil {
		t.Fatal(err)
	}
	lock, err := d.Lock(statedir.Proxy)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	if got := Find(); len(got) != 1 || got[0] != base+"-8080" {
		t.Errorf("got %q, want %q alone", got, base+"-8080")
	}
	if got := FindRecorded(); len(got) != 0 {
		t.Errorf("got %q with recordings, want none", got)
	}
	if err := os.WriteFile(statedir.At(base+"-3000").Recording(statedir.Pool), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := FindRecorded(); len(got) != 1 || got[0] != base+"-3000" {
		t.Errorf("got %q with recordings, want %q alone", got, base+"-3000")
	}
}
