package pool

// A verdict is what becomes of a generation on trial.
type verdict int

const (
	undecided verdict = iota
	accepted
	unstarted // taken back: it does not start
	dead      // taken back: a process of it died
	erring    // taken back: it answers with too many errors
	stalled   // taken back: it answers nothing
	slow      // taken back: its answers take far longer
	aborted   // taken back: a person said so
	crippled  // taken back: a side process that is required does not start
)

// refuted says that the generation before is to serve on.
func (v verdict) refuted() bool { return v > accepted }

// A stage is how far a generation on trial has come.
type stage int

const (
	noneServes stage = iota // none of its processes serves
	someServe               // some do, or not for long enough
	proven                  // all do that are to, for as long as the trial lasts
)

// Evidence is what is known of a generation on trial.
type evidence struct {
	stage stage

	// fallback says that there is an old process to go back to.
	fallback bool

	failed bool // a start of it did, and none succeeded since; a health check is part of a start
	died   bool // a process of it that served ended by itself
	stuck  bool // requests are inside its processes

	muster muster // of its side processes

	before, after counts // of the old generation and of the new one
}

// A rule says which errors are too many.
type rule struct {
	// rate is the share that is allowed; 0 allows all. nil compares with the
	// generation before.
	rate *float64

	// canary says that the generation before serves meanwhile, so that the two can be
	// compared closely, and by their times, too.
	canary bool
}

const (
	// fewest is how many answers of a generation say something about it.
	fewest = 10

	// A generation is far worse than the one before with this many errors at
	// least, if their share is over so many times that of before, and over that
	// share plus this.
	fewestErrors = 5
	worseTimes   = 2
	worseBy      = 0.25

	// Beside one another they are compared for longer, and see the same.
	worseByCanary = 0.05
	slowerBy      = 0.1 // seconds
)

// judge decides by the evidence alone. Where there is nothing to go back to,
// only a generation that does not serve at all is given up.
func (r rule) judge(e evidence) verdict {
	switch {
	case e.died && (e.fallback || e.stage == noneServes):
		return dead
	case e.failed && e.stage == noneServes:
		return unstarted
	case e.fallback && r.tooMany(e.before, e.after):
		return erring
	case e.fallback && r.tooSlow(e.before, e.after):
		return slow
	case e.fallback && e.stage == proven && r.silent(e):
		return stalled
	case e.stage == proven && e.muster == broken:
		return crippled
	case e.stage == proven && e.muster == complete:
		return accepted
	}
	return undecided
}

// tooMany says that the errors of a generation are too many.
func (r rule) tooMany(before, after counts) bool {
	switch {
	case after.processed < fewest:
		return false
	case r.rate != nil:
		return *r.rate > 0 && after.share() > *r.rate
	case before.processed < fewest || after.errors < fewestErrors:
		return false
	}
	by := worseBy
	if r.canary {
		by = worseByCanary
	}
	return after.share() > worseTimes*before.share() && after.share() > before.share()+by
}

// tooSlow says that a canary's answers take far longer than those of the others.
func (r rule) tooSlow(before, after counts) bool {
	if !r.canary || r.rate != nil && *r.rate == 0 || before.processed < enoughCanary || after.processed < enoughCanary {
		return false
	}
	return after.latency() > worseTimes*before.latency() && after.latency() > before.latency()+slowerBy
}

// slowest is how long answers of the generation before may have taken, on
// average and in seconds, for one that answers nothing in its whole trial to
// be known as hanging.
const slowest = 0.3

// silent says that the generation answered nothing although it was asked, and
// the one before was quick.
func (r rule) silent(e evidence) bool {
	return r.rate == nil && e.stuck && e.after.processed == 0 && e.before.processed >= fewest && e.before.latency() < slowest
}
