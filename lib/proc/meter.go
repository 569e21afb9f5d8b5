package proc

import (
	"context"
	"slices"
	"sync"
	"time"

	"passenger/lib/protocol"
)

const (
	// round is the time in which the PSS of every group is read once, if that
	// costs no more than meterShare.
	round = 30 * time.Second

	// meterStep is the shortest pause between two steps of a round.
	meterStep = time.Second

	// meterShare is the part of a processor, one in so many, that reading may
	// take. A round of many large groups takes longer for it.
	meterShare = 100

	// firstReads bounds what one [Meter.Read] spends on groups that were never
	// read.
	firstReads = 100 * time.Millisecond
)

// A Meter tells what process groups cost. CPU time, resident memory and threads
// are always those of the moment, from one [Census] for all groups. The
// proportional set sizes are read one after another, by [Meter.Keep], and are
// told as what was read last plus what the resident memory has grown since. The
// zero Meter is ready for use; a number of groups is that of its leader.
type Meter struct {
	mu     sync.Mutex // guards the fields below
	census Census
	taken  time.Time
	shares map[int]reading
}

// A reading is a share and when it was read.
type reading struct {
	share
	at time.Time
}

// Read returns what each group costs now. A group is missing as long as its
// PSS was never read: there are too many to read them all at once.
func (m *Meter) Read(groups []int) map[int]protocol.Usage {
	census := m.count()
	began := time.Now()
	usages := make(map[int]protocol.Usage, len(groups))
	for _, pgid := range groups {
		sh, ok := m.known(pgid, census)
		if !ok {
			if time.Since(began) > firstReads {
				continue
			}
			sh = m.measure(pgid, census)
		}
		u := sum(census[pgid])
		u.PSS = sh.at(u.RSS)
		usages[pgid] = u
	}
	return usages
}

// Keep reads the PSS of the groups in turn until ctx ends. It asks for the
// groups before each step, and forgets those that are not named any more.
func (m *Meter) Keep(ctx context.Context, groups func() []int) {
	for pause := meterStep; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		began := time.Now()
		next := m.step(groups())
		took := time.Since(began)
		pause = max(meterStep, time.Until(next), took*(meterShare-1))
	}
}

// step reads those groups whose turn it is, and says when the next one's is.
func (m *Meter) step(groups []int) (next time.Time) {
	now := time.Now()
	m.forgetBut(groups)
	m.mu.Lock()
	census, old := m.census, now.Sub(m.taken) >= round
	m.mu.Unlock()
	if old && len(groups) > 0 {
		census = m.count()
	}
	due := m.oldestFirst(groups)
	most := int((time.Duration(len(due))*meterStep + round - 1) / round)
	for i, r := range due {
		if at := r.at.Add(round); at.After(now) || i == most {
			return at
		}
		m.measure(r.pgid, census)
	}
	return now.Add(round)
}

// A turn is a group and when it was read last.
type turn struct {
	pgid int
	at   time.Time
}

func (m *Meter) oldestFirst(groups []int) []turn {
	m.mu.Lock()
	defer m.mu.Unlock()
	turns := make([]turn, len(groups))
	for i, pgid := range groups {
		turns[i] = turn{pgid, m.shares[pgid].at}
	}
	slices.SortFunc(turns, func(a, b turn) int { return a.at.Compare(b.at) })
	return turns
}

// count takes a census and keeps it for Keep, which only has to know who is to
// be looked at.
func (m *Meter) count() Census {
	now := time.Now()
	census := TakeCensus()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.census, m.taken = census, now
	return census
}

// known returns the last reading of a group if it is of this very one.
func (m *Meter) known(pgid int, census Census) (share, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.shares[pgid]
	for _, s := range census[pgid] {
		ok = ok && (s.pid != pgid || s.startTime == r.leader)
	}
	return r.share, ok
}

// measure reads the PSS of a group.
func (m *Meter) measure(pgid int, census Census) share {
	sh := shareOf(pgid, census[pgid])
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shares == nil {
		m.shares = map[int]reading{}
	}
	m.shares[pgid] = reading{sh, time.Now()}
	return sh
}

func (m *Meter) forgetBut(groups []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.shares) <= len(groups) {
		return // at most as many are of groups that are gone
	}
	for pgid := range m.shares {
		if !slices.Contains(groups, pgid) {
			delete(m.shares, pgid)
		}
	}
}
