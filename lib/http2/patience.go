package http2

import "time"

// A patience is how much a client may ask of us that is no request's work:
// resets, pings, settings, empty frames. Work earns some back, as does time, so
// that no client in earnest uses it up. Who did is told to calm down, and the
// connection ends: RFC 9113, 10.5.
type patience struct {
	left  int
	since time.Time // when time was counted last
}

const (
	mostPatience  = 1000
	patienceASec  = 100 // what a second earns
	dataEarns     = 4   // what a DATA frame earns: the client answers it with window updates
	requestEarns  = 10  // what a request earns that is answered to its end
	resetCosts    = 5   // a stream that is opened in vain
	trifleCosts   = 1   // a frame that is handled at once
	settingsCosts = 5   // SETTINGS, besides what is in it
)

func newPatience() patience { return patience{left: mostPatience, since: time.Now()} }

func (p *patience) earn(n int) { p.left = min(p.left+n, mostPatience) }

// spend says whether there was patience left for n.
func (p *patience) spend(n int) bool {
	if p.left < n {
		now := time.Now()
		p.earn(int(min(now.Sub(p.since).Seconds()*patienceASec, mostPatience)))
		p.since = now
	}
	p.left -= n
	return p.left >= 0
}
