package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A spending is what a row took: time, and how much of the machine others took
// meanwhile, in percent of all its processors. Numbers from a machine that was not
// left alone are worth less.
type spending struct {
	took   time.Duration
	others float64
}

// A meter measures a spending.
type meter struct {
	began     time.Time
	all, ours time.Duration // of the processors, until then
}

func startMeter() meter { return meter{time.Now(), machineCPU(), ownCPU()} }

func (m meter) stop() spending {
	took := time.Since(m.began)
	others := (machineCPU() - m.all) - (ownCPU() - m.ours)
	return spending{took, 100 * max(0, others.Seconds()) / took.Seconds() / float64(runtime.NumCPU())}
}

// ownCPU is what we and all that we started have used. What fell to us and ended is
// counted until it is reaped; that is when all is measured.
func ownCPU() (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		_ = syscall.Getrusage(who, &u) // it knows both
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	for _, pid := range descendants(os.Getpid()) {
		if f := statFields(pid); f != nil {
			sum += time.Duration(f[11]+f[12]+f[13]+f[14]) * tick // with what its children used that ended
		}
	}
	return sum
}

// machineCPU is what all processors did but wait, since the machine was started.
func machineCPU() time.Duration {
	b, _ := os.ReadFile("/proc/stat") // it is always there
	var ticks int64
	for i, word := range strings.Fields(strings.SplitN(string(b), "\n", 2)[0]) {
		// cpu user nice system idle iowait irq softirq steal guest…, of which user has
		// the guests' time too
		if n, err := strconv.ParseInt(word, 10, 64); err == nil && i != 4 && i != 5 && i <= 8 {
			ticks += n
		}
	}
	return time.Duration(ticks) * tick
}

const tick = time.Second / 100 // USER_HZ
