package pool

import (
	"fmt"
	"log/slog"
	"math"
)

// DefaultSize is how many processes there may be where nobody says, and no quota.
const DefaultSize = 6

// resize goes by the quota of processors, if nobody said how many processes there
// may be: two for each processor, since requests also wait for databases, and one. As
// many as the apps are to have at least there may be, up to the usual number. What
// fits into the memory is measured at each start; see fits.
func (p *Pool) resize() {
	if !p.limits.Automatic {
		return
	}
	n, least := DefaultSize, 0
	for _, a := range p.apps {
		least += a.least()
	}
	if p.host.CPUs > 0 {
		n = max(int(math.Ceil(2*p.host.CPUs))+1, min(least, DefaultSize))
	}
	if n != p.limits.Processes {
		p.limits.Processes = n
		slog.Info("pool resized", "max_pool_size", n, "reason", p.sizeReason())
	}
}

// sizeReason says which quota the limit comes from, empty if from none.
func (p *Pool) sizeReason() string {
	if !p.limits.Automatic || p.host.CPUs == 0 {
		return ""
	}
	return fmt.Sprintf("for the %.4g processors that a cgroup allows", p.host.CPUs)
}
