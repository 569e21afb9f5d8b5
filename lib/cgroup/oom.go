package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// struckFor is how long after a cgroup was out of memory an end in it is put down
// to that. The kernel kills at once; what takes time is to see and reap the dead.
const struckFor = 10 * time.Second

// A Want is what the kernel killed something for.
type Want struct {
	// Own says that it was the group's own limit, or one below it.
	Own bool

	// Path is the cgroup whose limit struck, empty if the machine had no memory
	// left; Max is that limit in bytes, 0 if it is gone.
	Path string
	Max  int64
}

// String is the want in words.
func (w Want) String() string {
	switch {
	case w.Path == "":
		return "the machine had none left"
	case w.Own && w.Max > 0:
		return fmt.Sprintf("memory_max %d MB", w.Max>>20)
	case w.Own:
		return "a limit within " + w.Path
	case w.Max > 0:
		return fmt.Sprintf("the limit of %s, %d MB", w.Path, w.Max>>20)
	}
	return "the limit of " + w.Path
}

// OutOfMemory says for want of what the kernel killed a process of the group, and
// whether it did.
func (g *Group) OutOfMemory(now time.Time) (w Want, killed bool) {
	if g.OOMKills() == 0 {
		return Want{}, false
	}
	// The event is counted where the limit struck, the kill where the dead was.
	if oomsAt(g.path) > 0 || count(filepath.Join(g.path, "memory.events"), "oom") > 0 {
		return Want{Own: true, Path: g.path, Max: g.MemoryMax()}, true
	}
	if g.strikes != nil {
		if path := g.strikes.look(now); path != "" {
			return Want{Path: path, Max: limitAt(path)}, true
		}
	}
	return Want{}, true
}

// oomsAt is how often a cgroup's own limit left it without memory.
func oomsAt(path string) int { return count(filepath.Join(path, "memory.events.local"), "oom") }

// strikes are the times at which the limits of a tree struck: its own, and those
// of the cgroups that it is in.
type strikes struct {
	mu    sync.Mutex // guards the fields below
	paths []string   // the tree first
	seen  []int      // how often each struck
	at    []time.Time
}

func newStrikes(tree string) *strikes {
	s := &strikes{}
	for dir := tree; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, "cgroup.procs")); err != nil || dir == filepath.Dir(dir) {
			break
		}
		s.paths, s.seen, s.at = append(s.paths, dir), append(s.seen, oomsAt(dir)), append(s.at, time.Time{})
	}
	return s
}

// look returns the cgroup whose limit struck a moment ago, empty if none did.
func (s *strikes) look(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := -1
	for i, path := range s.paths {
		if n := oomsAt(path); n != s.seen[i] {
			s.seen[i], s.at[i] = n, now
		}
		if now.Sub(s.at[i]) <= struckFor && (last < 0 || s.at[i].After(s.at[last])) {
			last = i
		}
	}
	if last < 0 {
		return ""
	}
	return s.paths[last]
}

// Look notes which limits of the tree have struck since the last look. Who looks
// every few seconds does not take an old strike for the cause of a new end.
func (t *Tree) Look(now time.Time) { t.strikes.look(now) }
