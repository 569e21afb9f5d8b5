package protocol

// Host is the reply to GET /v1/host of the spawner: what processes that it starts
// can have of the machine, where they live. A zero field is not known.
type Host struct {
	// MemoryFree is how many bytes can be taken until MemoryBound has none left:
	// WholeMachine, or the directory of a cgroup whose limit is MemoryMax. In a
	// process's own cgroup it may be less.
	MemoryFree  int64  `json:"memory_free_bytes"`
	MemoryBound string `json:"memory_bound,omitempty"`
	MemoryMax   int64  `json:"memory_max_bytes,omitempty"`

	// CPUs is how many processors the quotas of cgroups leave, 0 if there is none.
	CPUs float64 `json:"cpus,omitempty"`

	// CPUPressure and MemoryPressure are the shares of the last ten seconds, in
	// percent, in which something waited for a processor, and everything for
	// memory, of the machine or of a cgroup that processes live in.
	CPUPressure    float64 `json:"cpu_pressure_percent"`
	MemoryPressure float64 `json:"memory_pressure_percent"`

	// Unknown says what could not be read and why, empty if all could.
	Unknown string `json:"unknown,omitempty"`
}

// WholeMachine is the bound of memory that is no cgroup.
const WholeMachine = "the machine"
