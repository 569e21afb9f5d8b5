// Package machine tells what memory the machine has and which processes take
// it: those of apps, the daemons, and all others by their names.
package machine

import (
	"bufio"
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"passenger/lib/status"
)

// A Report is the document of "passenger-status memory". Sizes are bytes.
type Report struct {
	// Total, Available and the swap are the machine's, 0 if it does not tell.
	Total     int64 `json:"total_bytes"`
	Available int64 `json:"available_bytes"`
	SwapTotal int64 `json:"swap_total_bytes"`
	SwapFree  int64 `json:"swap_free_bytes"`

	// Limit is what the control group of this program may take, 0 for no limit.
	Limit int64 `json:"limit_bytes,omitempty"`

	Daemons Use   `json:"daemons"`
	Apps    []App `json:"apps"`

	// Others are processes that are not ours, by the name of their program, the
	// largest first. OtherTotal is all of them together.
	Others     []Other `json:"others"`
	OtherTotal Use     `json:"others_together"`
}

// A Use is what some processes take.
type Use struct {
	Processes int `json:"processes"`

	// Memory is their proportional set size; the resident one of those whose
	// proportional one we may not read, and then Exact is false.
	Memory int64 `json:"memory_bytes"`
	Exact  bool  `json:"exact"`

	// Private is what would be free without them, Shared the rest of Memory.
	// Both are of those that may be read.
	Private int64 `json:"private_bytes"`
	Shared  int64 `json:"shared_bytes"`
	Swap    int64 `json:"swap_bytes"`
}

// An App is what one app takes.
type App struct {
	Name       string `json:"name"`
	Processes  Use    `json:"processes"`
	Preloaders Use    `json:"preloaders"`
}

// An Other is what processes of one program take.
type Other struct {
	Name string `json:"name"`
	Use
}

// Look reads /proc. st tells which processes are ours.
func Look(st status.Status) Report {
	r := Report{Apps: []App{}, Others: []Other{}, Daemons: Use{Exact: true}, OtherTotal: Use{Exact: true}, Limit: limit()}
	r.readTotals()
	all := everyone()
	take := func(u *Use, pgid int) {
		for pid, s := range all {
			if s.group == pgid {
				u.add(pid)
				delete(all, pid)
			}
		}
	}
	for _, a := range st.Apps {
		app := App{Name: a.Name, Processes: Use{Exact: true}, Preloaders: Use{Exact: true}}
		for _, p := range a.Processes {
			take(&app.Processes, p.PID)
		}
		for _, side := range a.Side {
			for _, p := range side.Processes {
				take(&app.Processes, p.PID)
			}
		}
		for _, l := range a.Preloaders {
			take(&app.Preloaders, l.PID)
		}
		r.Apps = append(r.Apps, app)
	}
	for _, p := range st.Parts {
		if _, there := all[p.PID]; there {
			r.Daemons.add(p.PID)
			delete(all, p.PID)
		}
	}
	r.count(all)
	return r
}

// count sums up the processes that are not ours.
func (r *Report) count(others map[int]member) {
	byName := map[string]*Use{}
	for pid, s := range others {
		if byName[s.name] == nil {
			byName[s.name] = &Use{Exact: true}
		}
		byName[s.name].add(pid)
	}
	for name, u := range byName {
		if u.Processes > 0 && u.Memory > 0 { // kernel threads have none
			r.Others = append(r.Others, Other{name, *u})
			r.OtherTotal.Processes += u.Processes
			r.OtherTotal.Memory += u.Memory
			r.OtherTotal.Private += u.Private
			r.OtherTotal.Shared += u.Shared
			r.OtherTotal.Swap += u.Swap
			r.OtherTotal.Exact = r.OtherTotal.Exact && u.Exact
		}
	}
	slices.SortFunc(r.Others, func(a, b Other) int {
		return cmp.Or(cmp.Compare(b.Memory, a.Memory), strings.Compare(a.Name, b.Name))
	})
}

// add adds a process, unless it has ended.
func (u *Use) add(pid int) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	if f := sizes(filepath.Join(dir, "smaps_rollup")); f != nil {
		u.Processes++
		u.Memory += f["Pss"]
		private := f["Private_Clean"] + f["Private_Dirty"]
		u.Private += private
		u.Shared += max(0, f["Pss"]-private)
		u.Swap += f["SwapPss"]
		return
	}
	f := sizes(filepath.Join(dir, "status"))
	if f == nil {
		return
	}
	u.Processes++
	u.Memory += f["VmRSS"]
	u.Swap += f["VmSwap"]
	if f["VmRSS"] > 0 {
		u.Exact = false
	}
}

func (r *Report) readTotals() {
	f := sizes("/proc/meminfo")
	r.Total, r.Available, r.SwapTotal, r.SwapFree = f["MemTotal"], f["MemAvailable"], f["SwapTotal"], f["SwapFree"]
}

// sizes reads lines "NAME: N kB", nil if the file cannot be read.
func sizes(path string) map[string]int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	f := map[string]int64{}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		name, rest, ok := strings.Cut(lines.Text(), ":")
		number, unit := strings.CutSuffix(strings.TrimSpace(rest), " kB")
		if n, err := strconv.ParseInt(number, 10, 64); ok && unit && err == nil {
			f[name] = n << 10
		}
	}
	return f
}

// A member is a process and the process group that it is in.
type member struct {
	name  string
	group int
}

// everyone returns all processes by their pids.
func everyone() map[int]member {
	all := map[int]member{}
	paths, _ := filepath.Glob("/proc/[0-9]*/stat") // errors are of the pattern only
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		if b, err := os.ReadFile(path); err == nil {
			if m, ok := memberOf(string(b)); ok {
				all[pid] = m
			}
		}
	}
	return all
}

// memberOf reads /proc/PID/stat. The name stands in parentheses, and may have
// some itself.
func memberOf(stat string) (member, bool) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return member{}, false
	}
	f := strings.Fields(stat[end+1:]) // state, parent, process group
	if len(f) < 3 {
		return member{}, false
	}
	group, err := strconv.Atoi(f[2])
	return member{stat[open+1 : end], group}, err == nil
}

// limit is the memory limit of our control group (cgroup v2), 0 if it has none.
func limit() int64 {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok {
			continue
		}
		text, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", path, "memory.max"))
		if err != nil {
			return 0
		}
		n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // "max" is no limit
		return n
	}
	return 0
}
