package pool

// A Host is what the machine can spare. A zero field is not known.
type Host struct {
	// MemoryFree is how many bytes new processes may take.
	MemoryFree int64

	// CPUPressure and MemoryPressure are the shares of the last ten seconds,
	// in percent, in which something waited for a processor, and everything
	// for memory.
	CPUPressure, MemoryPressure float64

	// Processes is the memory of each process in bytes, by ID.
	Processes map[string]int64
}

// Measured tells how the machine is doing.
func (p *Pool) Measured(h Host) {
	if h.Processes == nil {
		h.Processes = p.host.Processes // those are measured less often
	}
	p.host = h
}

const (
	// At these pressures one more process takes from the others what it gets.
	highCPU    = 90
	highMemory = 10

	// strainWait is how long a request waits before another process is started
	// all the same: the pressure need not be the app's, nor its own wait that
	// for a processor.
	strainWait = 1
)

// strained says that the machine is too busy for a process that would only be
// good to have.
func (w *want) strained() bool {
	host := &w.app.pool.host
	return (host.CPUPressure > highCPU || host.MemoryPressure > highMemory) && w.waited < strainWait
}

// LimitsMemory says that the memory of processes matters more than usual.
func (p *Pool) LimitsMemory() bool {
	for _, a := range p.apps {
		if a.config.MemoryLimit > 0 || a.config.ReforkAfter > 0 {
			return true
		}
	}
	return false
}

// fits says that the machine has the memory for one more process of the app
// beside those that start.
func (a *app) fits() bool {
	need := a.footprint()
	if a.pool.host.MemoryFree == 0 || need == 0 {
		return true // it is not known
	}
	for _, q := range a.pool.processes {
		if q.starting() {
			need += q.app.footprint()
		}
	}
	return need <= a.pool.host.MemoryFree
}

// footprint is what a process of the app will take: as much as the largest
// that it has.
func (a *app) footprint() int64 {
	var most int64
	for _, q := range a.processes {
		most = max(most, a.pool.host.Processes[q.record.ID])
	}
	return most
}
