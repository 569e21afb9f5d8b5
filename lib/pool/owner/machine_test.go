package owner

import (
	"os"
	"path/filepath"
	"testing"
)

// machineOf makes a machine of files.
func machineOf(t *testing.T, files map[string]string) machine {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return machine(root + "/")
}

func TestFreeMemoryIsWhatIsLeastAnywhere(t *testing.T) {
	t.Parallel()
	const meminfo = "MemTotal: 9000 kB\nMemAvailable: 4000 kB\n"
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"nothing tells", nil, 0},
		{"no cgroup", map[string]string{"proc/meminfo": meminfo}, 4000 << 10},
		{"a container, which sees its cgroup as the root", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "3000\n", "sys/fs/cgroup/memory.current": "2500\n",
			"sys/fs/cgroup/memory.stat": "anon 1\ninactive_file 200\n",
		}, 700},
		{"a limit above", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.current": "10\n",
			"sys/fs/cgroup/a/memory.max": "100\n", "sys/fs/cgroup/a/memory.current": "40\n",
		}, 60},
		{"over the limit", map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "100\n", "sys/fs/cgroup/memory.current": "140\n",
		}, 1},
		{"version 1", map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu:/x\n4:memory:/x\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "1000\n", "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "900\n",
			"sys/fs/cgroup/memory/x/memory.stat": "total_inactive_file 50\n",
		}, 150},
	} {
		if got := machineOf(t, tt.files).memoryFree(); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestPressure(t *testing.T) {
	t.Parallel()
	m := machineOf(t, map[string]string{"proc/pressure/cpu": "some avg10=12.50 avg60=3.00 total=1\nfull avg10=1.25 avg60=0.00 total=1\n"})
	if some, full, none := m.pressure("cpu", "some"), m.pressure("cpu", "full"), m.pressure("memory", "full"); some != 12.5 || full != 1.25 || none != 0 {
		t.Errorf("got %v, %v and %v, want 12.5, 1.25 and 0", some, full, none)
	}
}
