package proxy

import "golang.org/x/sys/unix"

const (
	// mostPlaces is how many requests may wait for an app whose settings say
	// nothing of it: what comes in seconds in which no process answers.
	mostPlaces = 2048

	// placeCost is what a request that waits holds, in bytes: its head, its
	// goroutine and what TLS needs.
	placeCost = 32 << 10

	// memoryShare is the part of the machine's memory that may be held so for one
	// app, as a divisor.
	memoryShare = 16
)

// memoryPlaces is how many places the machine's memory allows.
func memoryPlaces() int {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return mostPlaces
	}
	total := uint64(info.Totalram) * uint64(info.Unit)
	return int(min(total/memoryShare/placeCost, mostPlaces))
}

// places is how many requests may wait for one app. Half of the descriptors for
// clients are left to those that wait for nothing, or for another app.
func (p *Proxy) places() int {
	most := p.descriptors.most.Load()
	if most == 0 {
		p.descriptors.read()
		most = p.descriptors.most.Load()
	}
	return min(p.memoryPlaces, int(most/2))
}
