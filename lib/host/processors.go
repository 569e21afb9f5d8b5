package host

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// processors is how many processors the quotas of a cgroup and of those that it is
// in leave, 0 if none has one: cpu.max of version 2, cpu.cfs_quota_us and
// cpu.cfs_period_us of version 1.
func (m Machine) processors(cgroup string) float64 {
	least := 0.0
	for _, dir := range m.quotas(cgroup) {
		quota, period := float64(m.number(dir+"/cpu.cfs_quota_us")), float64(m.number(dir+"/cpu.cfs_period_us"))
		if words := strings.Fields(m.text(dir + "/cpu.max")); len(words) == 2 {
			quota, _ = strconv.ParseFloat(words[0], 64) // "max" is no number
			period, _ = strconv.ParseFloat(words[1], 64)
		}
		if quota > 0 && period > 0 && (least == 0 || quota/period < least) {
			least = quota / period
		}
	}
	return least
}

// quotas are the directories in which quotas may be.
func (m Machine) quotas(cgroup string) (dirs []string) {
	if cgroup != "" {
		for _, g := range m.above(cgroup) {
			dirs = append(dirs, g.dir)
		}
		return dirs
	}
	for line := range strings.Lines(m.text("proc/self/cgroup")) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 || parts[1] != "" && !slices.Contains(strings.Split(parts[1], ","), "cpu") {
			continue
		}
		root := "sys/fs/cgroup"
		if parts[1] != "" {
			root += "/cpu" // a link to where several controllers are together
		}
		for dir := path.Clean("/" + parts[2]); ; dir = path.Dir(dir) {
			dirs = append(dirs, path.Join(root, dir))
			if dir == "/" {
				break
			}
		}
	}
	return dirs
}
