package spawn

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"passenger/lib/cgroup"
	"passenger/lib/protocol"
)

// newTree makes a cgroup for the test to divide. It comes before the spawner,
// whose processes are gone then when the cgroup goes.
func newTree(t *testing.T) *cgroup.Tree {
	t.Helper()
	for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		dir, err := os.MkdirTemp(mount, "passenger-test-")
		if err != nil {
			continue
		}
		t.Cleanup(func() {
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		})
		if tree, err := cgroup.Open(dir); err == nil {
			return tree
		}
	}
	t.Skip("needs root and a cgroup file system of version 2")
	return nil
}

func cgroupOf(t *testing.T, pid string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", pid, "cgroup"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			return filepath.Base(strings.TrimSpace(path))
		}
	}
	return ""
}

func TestEachProcessHasACgroupOfItsOwn(t *testing.T) {
	t.Parallel()
	tree := newTree(t)
	s, out := newSpawner(t, shortDir(t))
	s.UseCgroups(tree, nil)
	one := mustSpawn(t, s, "cg01", "ready")
	mustSpawn(t, s, "cg02", "stubborn")
	_, child, _ := strings.Cut(strings.TrimSpace(out.await(t, "grandchild")), "grandchild ")
	if got := cgroupOf(t, child); got != "process-cg02" {
		t.Errorf("what a process starts: got cgroup %q, want process-cg02", got)
	}
	if tree.Group("cg01") == nil {
		t.Error("cg01 has no cgroup")
	}
	// A successor knows the cgroup of what it adopts, and removes the others.
	if _, err := tree.Make("gone", cgroup.Limits{}); err != nil {
		t.Fatal(err)
	}
	adopter, _ := newSpawner(t, s.dir)
	adopter.UseCgroups(tree, nil)
	if p := adopter.find("cg01"); p == nil || !p.HasCgroup() || p.Snapshot().PID != one.PID {
		t.Errorf("got %+v, want cg01 with its cgroup", p)
	}
	if tree.Group("gone") != nil {
		t.Error("the cgroup of a process that is gone is still there")
	}
	for _, id := range []string{"cg01", "cg02"} {
		s.find(id).Kill("end of the test")
		if tree.Group(id) != nil {
			t.Errorf("the cgroup of %s is still there", id)
		}
	}
}

func TestAFailedStartLeavesNothingOutsideItsProcessGroup(t *testing.T) {
	t.Parallel()
	tree := newTree(t)
	s, _ := newSpawner(t, shortDir(t))
	s.UseCgroups(tree, nil)
	_, err := s.Spawn(t.Context(), request("cg03", appConfig("background setsid")))
	var se *protocol.SpawnError
	if !errors.As(err, &se) || !strings.Contains(se.Summary, "background") {
		t.Errorf("got %v, want a spawn error of a process in the background", err)
	}
	if tree.Group("cg03") != nil {
		t.Error("the cgroup is still there")
	}
}

func TestCgroupLimitsThatAreNotToBeHad(t *testing.T) {
	t.Parallel()
	config := appConfig("ready")
	config.MemoryMax, config.PIDsMax = 64, 1000
	tree := newTree(t)
	s, _ := newSpawner(t, shortDir(t))
	s.UseCgroups(nil, cgroup.ErrNotDelegated)
	if _, err := s.Spawn(t.Context(), request("cg04", config)); err != nil {
		t.Errorf("without a tree: %v", err)
	}
	s.UseCgroups(tree, nil) // which may have no controllers
	r, err := s.Spawn(t.Context(), request("cg05", config))
	if err != nil {
		t.Fatalf("with a tree: %v", err)
	}
	if !s.find(r.ID).HasCgroup() {
		t.Error("the process has no cgroup")
	}
}
