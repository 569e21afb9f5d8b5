package balance

// A Verdict says how a process did.
type Verdict uint8

// Verdicts.
const (
	Fine   Verdict = iota
	Failed         // it answered with a 5xx status, or not at all
	Stuck          // it let the request time pass without a byte
)
