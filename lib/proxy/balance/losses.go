package balance

// losses are the share of an app's requests that lately got no process: their
// clients left, their time was over, or there was no place in the queue. It says
// that an app has too much to do where a wait does not: what one client endures
// another does not. The zero losses are none.
type losses struct {
	share int32 // of lossesAll, each request counts a lossesOf-th of what the ones before did
	many  bool  // so many that it is not chance, nor clients that changed their mind
}

const (
	lossesAll = 1 << 24
	lossesOf  = 256

	// At 1.05 times the capacity one of 21 is lost. There are many from manyLosses
	// on, and until fewLosses: a queue that is empty by chance says nothing.
	manyLosses = lossesAll / 32
	fewLosses  = lossesAll / 64
)

// got counts a request that got a process.
func (l *losses) got() {
	l.share -= l.share / lossesOf
	l.many = l.many && l.share > fewLosses
}

// lost counts one that got none.
func (l *losses) lost() {
	l.share += (lossesAll - l.share) / lossesOf
	l.many = l.many || l.share > manyLosses
}
