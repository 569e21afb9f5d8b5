package status

import (
	"passenger/lib/protocol"
)

// A sum adds memory up. It is known as long as each part of it is.
type sum struct {
	bytes   int64
	unknown bool
}

// add adds what a process costs. One that has no pid yet costs nothing.
func (s *sum) add(pid int, u *protocol.Usage) {
	switch {
	case pid == 0:
	case u == nil || u.PSS < 0:
		s.unknown = true
	default:
		s.bytes += u.PSS
	}
}

// total is nil unless it is known.
func (s *sum) total() *int64 {
	if s.unknown {
		return nil
	}
	return &s.bytes
}

func (s Snapshot) preloaders(app string) []protocol.Preloader {
	if s.Preloaders == nil {
		return nil
	}
	list := []protocol.Preloader{}
	for _, l := range s.Preloaders.Preloaders {
		if l.App == app {
			list = append(list, l)
		}
	}
	return list
}

func (a App) memory() *int64 {
	m := sum{unknown: a.Preloaders == nil}
	for _, p := range a.all() {
		m.add(p.PID, p.Usage)
	}
	for _, l := range a.Preloaders {
		m.add(l.PID, l.Usage)
	}
	return m.total()
}

func (s Status) memory() *int64 {
	var m sum
	for _, p := range s.Parts {
		m.add(p.PID, p.Usage)
	}
	for _, a := range s.Apps {
		if a.Memory == nil {
			return nil
		}
		m.bytes += *a.Memory
	}
	return m.total()
}
