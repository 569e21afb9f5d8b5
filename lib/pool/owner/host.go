package owner

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"passenger/lib/pool"
	"passenger/lib/protocol"
)

const (
	// hostEvery is how often the machine is looked at, which costs little.
	hostEvery = 2 * time.Second

	// usageEvery is how often the memory of the processes is asked for: the
	// kernel walks all their pages for it.
	usageEvery = 30 * time.Second

	// limitEvery takes its place where there is a memory limit.
	limitEvery = 4 * time.Second
)

// measure tells the pool how the machine is doing.
func (o *Owner) measure(ctx context.Context) {
	for last := (time.Time{}); ctx.Err() == nil; rest(ctx, hostEvery) {
		h := pool.Host{
			MemoryFree:     memoryFree(),
			CPUPressure:    pressure("/proc/pressure/cpu", "some"),
			MemoryPressure: pressure("/proc/pressure/memory", "full"),
		}
		if time.Since(last) >= o.usagePause(ctx) {
			h.Processes = o.usage(ctx)
			if len(h.Processes) > 0 {
				last = time.Now()
			}
		}
		o.tell(ctx, func(time.Time) { o.pool.Measured(h) })
	}
}

func (o *Owner) usagePause(ctx context.Context) time.Duration {
	pause := usageEvery
	// An error is the end of the pool, after which nothing is measured.
	_ = o.ask(ctx, func(time.Time) {
		if o.pool.LimitsMemory() {
			pause = limitEvery
		}
	})
	return pause
}

// usage is the memory of each process, nil if the spawner does not tell.
func (o *Owner) usage(ctx context.Context) map[string]int64 {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	list, err := o.spawner.Usage(ctx)
	if err != nil {
		return nil // it is down, which is logged elsewhere
	}
	sizes := map[string]int64{}
	for _, p := range list.Processes {
		if u := p.Usage; u != nil && p.State != protocol.Exited {
			if sizes[p.ID] = u.PSS; u.PSS < 0 {
				sizes[p.ID] = u.RSS // that of a process of another user, shared pages and all
			}
		}
	}
	return sizes
}

// memoryFree is how many bytes may be taken until the machine has none left,
// or the cgroup that this program is in, 0 if nobody can tell.
func memoryFree() int64 {
	free := field("/proc/meminfo", "MemAvailable:") << 10
	for _, dir := range cgroups() {
		limit, used := number(dir+"/memory.max"), number(dir+"/memory.current")
		if limit > 0 && used > 0 && (free == 0 || limit-used < free) {
			// What is cached of files is given back when it is needed.
			free = max(limit-used+field(dir+"/memory.stat", "inactive_file"), 1)
		}
	}
	return free
}

// pressure is the avg10 of a line of a pressure file, 0 where the kernel has
// none.
func pressure(path, line string) float64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for text := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(text, line+" avg10="); ok {
			value, _, _ := strings.Cut(rest, " ")
			percent, _ := strconv.ParseFloat(value, 64)
			return percent
		}
	}
	return 0
}

// cgroups are the directories of the cgroup (version 2) that this process is
// in, and of those above it.
func cgroups() []string {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	var dirs []string
	for line := range strings.Lines(string(b)) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		for ok && path != "/" && path != "." && path != "" {
			dirs = append(dirs, "/sys/fs/cgroup"+path)
			path = filepath.Dir(path)
		}
	}
	return dirs
}

// number is the number in a file, 0 if there is none.
func number(path string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64) // "max" is no number
	return n
}

// field is the number behind a word at the begin of a line, 0 if there is none.
func field(path, word string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == word {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n
		}
	}
	return 0
}
