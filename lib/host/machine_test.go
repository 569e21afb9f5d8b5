package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"passenger/lib/protocol"
)

// machineOf makes a machine of files.
func machineOf(t *testing.T, files map[string]string) Machine {
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
	return Machine(root + "/")
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
		if got := machineOf(t, tt.files).Spare("").MemoryFree; got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestPressure(t *testing.T) {
	t.Parallel()
	m := machineOf(t, map[string]string{"proc/pressure/cpu": "some avg10=12.50 avg60=3.00 total=1\nfull avg10=1.25 avg60=0.00 total=1\n"})
	if some, full, none := m.pressure("proc/pressure/cpu", "some"), m.pressure("proc/pressure/cpu", "full"), m.pressure("proc/pressure/memory", "full"); some != 12.5 || full != 1.25 || none != 0 {
		t.Errorf("got %v, %v and %v, want 12.5, 1.25 and 0", some, full, none)
	}
}

// What bounds a program's own unit says nothing of the apps, which live elsewhere.
func TestSpareOfACgroupThatWeAreNotIn(t *testing.T) {
	t.Parallel()
	const apps = "sys/fs/cgroup/passenger.slice/passenger-apps.service"
	files := map[string]string{
		"proc/meminfo": "MemTotal: 9000 kB\nMemAvailable: 4000 kB\n", "proc/self/cgroup": "0::/pool.service\n",
		"proc/pressure/memory":                         "some avg10=9.00 avg60=0.00 total=1\nfull avg10=1.00 avg60=0.00 total=1\n",
		"sys/fs/cgroup/cgroup.procs":                   "",
		"sys/fs/cgroup/pool.service/memory.max":        "40000\n",
		"sys/fs/cgroup/pool.service/memory.current":    "39999\n",
		"sys/fs/cgroup/passenger.slice/cgroup.procs":   "",
		"sys/fs/cgroup/passenger.slice/memory.max":     "1000000\n",
		"sys/fs/cgroup/passenger.slice/memory.current": "400000\n",
		apps + "/cgroup.procs":                         "", apps + "/memory.max": "max\n", apps + "/memory.current": "300000\n",
		apps + "/memory.pressure": "some avg10=80.00 avg60=0.00 total=1\nfull avg10=30.50 avg60=0.00 total=1\n",
	}
	want := protocol.Host{MemoryFree: 600000, MemoryBound: "/sys/fs/cgroup/passenger.slice", MemoryMax: 1000000, MemoryPressure: 30.5}
	if diff := cmp.Diff(want, machineOf(t, files).Spare("/"+apps)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	delete(files, "proc/meminfo")
	h := machineOf(t, files).Spare("/" + apps)
	if diff := cmp.Diff(want, h, cmpopts.IgnoreFields(want, "Unknown")); diff != "" || !strings.Contains(h.Unknown, "ProcSubset=pid") {
		t.Errorf("without /proc/meminfo: unknown %q (-want +got)\n%s", h.Unknown, diff)
	}
	if h = machineOf(t, nil).Spare("/" + apps); h.MemoryFree != 0 || h.Unknown == "" {
		t.Errorf("nothing to be read: got %+v", h)
	}
}
