package buffering

import "sync/atomic"

// A Memory is lent in parts, up to a limit.
type Memory struct {
	Most int64
	used atomic.Int64
}

// Lent is how many bytes are lent.
func (m *Memory) Lent() int64 { return m.used.Load() }

// Lend lends n bytes, or says that there are not so many left.
func (m *Memory) Lend(n int) bool {
	if m.used.Add(int64(n)) <= m.Most {
		return true
	}
	m.used.Add(int64(-n))
	return false
}

func (m *Memory) GiveBack(n int) { m.used.Add(int64(-n)) }
