package host

import "testing"

func TestProcessorsAreTheLeastQuotaAnywhere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, cgroup string
		files        map[string]string
		want         float64
	}{
		{"nothing tells", "", nil, 0},
		{"no quota", "", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 0},
		{"a container, which sees its cgroup as the root", "", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5},
		{"a quota above", "", map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "400000 100000\n", "sys/fs/cgroup/a/cpu.max": "200000 100000\n",
		}, 2},
		{"nonsense", "", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "1 0\n"}, 0},
		{"version 1", "", map[string]string{
			"proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/x\n3:cpuset:/y\n", "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "50000\n", "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n",
		}, 0.5},
		{"version 1 without a quota", "", map[string]string{
			"proc/self/cgroup": "5:cpu,cpuacct:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
		}, 0},
		{"that of apps, which we are not in", "/sys/fs/cgroup/apps", map[string]string{
			"proc/self/cgroup": "0::/pool\n", "sys/fs/cgroup/pool/cpu.max": "10000 100000\n",
			"sys/fs/cgroup/cgroup.procs": "", "sys/fs/cgroup/apps/cgroup.procs": "", "sys/fs/cgroup/apps/cpu.max": "300000 100000\n",
		}, 3},
	} {
		if got := machineOf(t, tt.files).Spare(tt.cgroup).CPUs; got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
