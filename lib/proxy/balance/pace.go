package balance

import "time"

// A pace knows whether an app is so quick that a request loses nothing by going
// ahead: it lies behind one that is under way, and cannot be recalled when that one
// lasts.
//
// Quick sessions give credit, and slow ones cost it, the more the longer they last.
// Where there is none left, nothing goes ahead. So 99 of 100 sessions are quick where
// something does; and those that went ahead have lost, by all the slow ones together,
// a fiftieth of slowAfter each at most.
type pace struct {
	credit int64 // quick sessions, below 0 how many are to come until something may go ahead
	known  bool  // a session was counted lately
}

const (
	// slowAfter is how long a slow session lasts at least.
	slowAfter = 2 * time.Millisecond

	// quickOnes is how many quick sessions pay for as long a slow one, and how many
	// must have come before anything is known.
	quickOnes = 100

	// mostCredit lets slow ones come together, as where another program has the
	// processor for a while.
	mostCredit = 10 * quickOnes
)

// ended counts a session that lasted for took, where one that lasts for slow is slow.
func (s *pace) ended(took, slow time.Duration) {
	if !s.known {
		s.known, s.credit = true, min(s.credit, -quickOnes)
	}
	if took < slow {
		s.credit = min(s.credit+1, mostCredit)
		return
	}
	s.credit -= int64(took/slow) * quickOnes
}

// quick says that a request may go ahead.
func (s *pace) quick() bool { return s.known && s.credit >= 0 }

// forget notes that no session was counted for a while.
func (s *pace) forget() { s.known = false }
