package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A paper tree is files in the place of the kernel's: a tree below two cgroups.
type paper struct {
	t    *testing.T
	root string
	tree *Tree
}

func newPaper(t *testing.T) *paper {
	t.Helper()
	p := &paper{t: t, root: t.TempDir()}
	for _, dir := range []string{"slice", "slice/apps", "slice/apps/process-ab12"} {
		p.write(dir, "cgroup.procs", "")
		p.ooms(dir, 0)
	}
	path := filepath.Join(p.root, "slice/apps")
	p.tree = &Tree{path: path, strikes: newStrikes(path)}
	return p
}

func (p *paper) write(dir, name, text string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Join(p.root, dir), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.root, dir, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// ooms has the limit of a cgroup have struck so often.
func (p *paper) ooms(dir string, n int) {
	p.t.Helper()
	p.write(dir, "memory.events.local", fmt.Sprintf("low 0\nhigh 0\nmax %d\noom %d\noom_kill 0\n", n, n))
}

func (p *paper) kills(n int) {
	p.t.Helper()
	p.write("slice/apps/process-ab12", "memory.events", fmt.Sprintf("oom 0\noom_kill %d\n", n))
}

func TestOutOfMemoryNamesTheLimitThatStruck(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const group = "slice/apps/process-ab12"
	for name, tt := range map[string]struct {
		happens func(p *paper)
		want    string
		killed  bool
	}{
		"nothing": {func(*paper) {}, "the machine had none left", false},
		"its own": {func(p *paper) { p.kills(1); p.ooms(group, 1); p.write(group, "memory.max", "125829120\n") }, "memory_max 120 MB", true},
		"one that the app made": {func(p *paper) {
			p.write(group, "memory.events", "oom 1\noom_kill 1\n")
			p.write(group, "memory.max", "max\n")
		}, "a limit within ROOT/slice/apps/process-ab12", true},
		"that of all apps": {func(p *paper) {
			p.write(group, "memory.max", "125829120\n") // the nearest setting, which did not strike
			p.write("slice/apps", "memory.max", "41943040\n")
			p.kills(1)
			p.ooms("slice/apps", 1)
		}, "the limit of ROOT/slice/apps, 40 MB", true},
		"one above": {func(p *paper) {
			p.write("slice/apps", "memory.max", "41943040\n")
			p.write("slice", "memory.max", "max\n")
			p.kills(2)
			p.ooms("slice", 3)
		}, "the limit of ROOT/slice", true},
		"the machine": {func(p *paper) { p.kills(1) }, "the machine had none left", true},
		"the machine, long after a neighbour's end": {func(p *paper) {
			p.ooms("slice", 1)
			p.tree.Look(now.Add(-struckFor - time.Second))
			p.kills(1)
		}, "the machine had none left", true},
		"that of all apps, which a neighbour's end showed": {func(p *paper) {
			p.ooms("slice/apps", 1)
			p.tree.Look(now.Add(-time.Second))
			p.kills(1)
		}, "the limit of ROOT/slice/apps", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPaper(t)
			g := p.tree.Group("ab12")
			tt.happens(p)
			want, killed := g.OutOfMemory(now)
			if rel, err := filepath.Rel(p.root, want.Path); err == nil && want.Path != "" {
				want.Path = "ROOT/" + rel
			}
			if killed != tt.killed || want.String() != tt.want {
				t.Errorf("got %q, %v, want %q, %v", want, killed, tt.want, tt.killed)
			}
		})
	}
}

func TestPIDsRefused(t *testing.T) {
	t.Parallel()
	p := newPaper(t)
	g := p.tree.Group("ab12")
	if n := g.PIDsRefused(); n != 0 {
		t.Errorf("without the file: got %d", n)
	}
	p.write("slice/apps/process-ab12", "pids.events", "max 7\n")
	if n := g.PIDsRefused(); n != 7 {
		t.Errorf("got %d, want 7", n)
	}
}
