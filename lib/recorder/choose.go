package recorder

import (
	"cmp"
	"maps"
	"slices"
)

// Stale is after how many samples a row is written again that did not change, so
// that what is left of the ring tells of each app.
const Stale = 30

// A chooser picks the rows of a sample, as many as there is room for. It remembers
// one row of each app that there is.
type chooser struct {
	columns []Column
	turn    int // number of the sample
	apps    map[string]*known
}

// A known app is what was seen of it last, and what was written.
type known struct {
	seen    []int64
	written []int64 // nil if it never was
	turn    int     // when it was written
	here    int     // the turn in which it was there last
}

// A candidate is a row that may be written.
type candidate struct {
	Row
	app     *known
	changed bool
	busy    int64
	size    int
}

// choose returns the rows to be written, of at most room bytes, and how many that
// changed are left out. Three quarters of the room are for the busiest apps, so
// that the others get a turn too.
func (c *chooser) choose(rows []Row, room int) (chosen []Row, leftOut int) {
	c.turn++
	if c.apps == nil {
		c.apps = map[string]*known{}
	}
	list := c.candidates(rows)
	slices.SortStableFunc(list, func(a, b candidate) int {
		return cmp.Or(-compareBool(a.changed, b.changed), cmp.Compare(b.busy, a.busy), cmp.Compare(a.app.turn, b.app.turn), cmp.Compare(a.App, b.App))
	})
	left := room
	take := func(x candidate, least int) bool {
		if left-x.size < least {
			return false
		}
		left -= x.size
		chosen = append(chosen, x.Row)
		x.app.written, x.app.turn = x.Values, c.turn
		if x.Values == nil {
			delete(c.apps, x.App)
		}
		return true
	}
	rest := list[:0]
	for _, x := range list {
		if !take(x, room/4) {
			rest = append(rest, x)
		}
	}
	slices.SortStableFunc(rest, func(a, b candidate) int { return cmp.Compare(a.app.turn, b.app.turn) })
	for _, x := range rest {
		if !take(x, 0) && x.changed {
			leftOut++
		}
	}
	return chosen, leftOut
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// candidates are the rows that changed or are stale, and those of apps that are
// gone.
func (c *chooser) candidates(rows []Row) []candidate {
	var list []candidate
	for _, r := range rows {
		app := c.apps[r.App]
		if app == nil {
			app = &known{}
			c.apps[r.App] = app
		}
		app.here = c.turn
		changed := app.written == nil || !slices.Equal(app.written, r.Values)
		if changed || c.turn-app.turn >= Stale {
			list = append(list, candidate{r, app, changed, c.busy(app.seen, r.Values), rowSize(r)})
		}
		app.seen = r.Values
	}
	for _, name := range slices.Sorted(maps.Keys(c.apps)) {
		switch app := c.apps[name]; {
		case app.here == c.turn:
		case app.written == nil:
			delete(c.apps, name) // nobody was told of it
		default:
			gone := Row{App: name}
			list = append(list, candidate{gone, app, true, 0, rowSize(gone)})
		}
	}
	return list
}

// busy is how much an app did since it was seen last, and has to do.
func (c *chooser) busy(before, now []int64) int64 {
	var sum int64
	for i, column := range c.columns {
		switch {
		case !column.Busy || i >= len(now):
		case column.Counter && i < len(before) && now[i] >= before[i]:
			sum += now[i] - before[i]
		case !column.Counter:
			sum += now[i]
		}
	}
	return sum
}

// rowSize is how long a row is in the file, with its comma.
func rowSize(r Row) int {
	b, err := r.MarshalJSON()
	if err != nil {
		return mostSample + 1
	}
	return len(b) + 1
}
