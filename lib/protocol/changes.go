package protocol

import (
	"reflect"
	"slices"
)

// Since is what a reader that has the whole list before lacks of l: a list with
// a Base.
func (l ProcessList) Since(before any) any {
	old := before.(ProcessList)
	if old.Version == 0 {
		return l
	}
	changes := ProcessList{Version: l.Version, Base: old.Version, Processes: []Process{}}
	had := make(map[string]*Process, len(old.Processes))
	for i := range old.Processes {
		had[old.Processes[i].ID] = &old.Processes[i]
	}
	for i := range l.Processes {
		p := &l.Processes[i]
		if q := had[p.ID]; q == nil || !p.same(q) {
			changes.Processes = append(changes.Processes, *p)
		}
		delete(had, p.ID)
	}
	for i := range old.Processes {
		if id := old.Processes[i].ID; had[id] != nil {
			changes.Gone = append(changes.Gone, id)
		}
	}
	return changes
}

// same says that nothing differs. reflect.DeepEqual of the whole takes forty
// times as long, and a list has many that are the same.
func (p *Process) same(q *Process) bool {
	return p.ID == q.ID && p.State == q.State && p.PID == q.PID && p.StartTime == q.StartTime && p.BootID == q.BootID &&
		p.Version == q.Version && p.Slot == q.Slot && p.App == q.App && p.Generation == q.Generation && p.Type == q.Type &&
		p.Address == q.Address && p.DataProtocol == q.DataProtocol && p.SessionForm == q.SessionForm && p.Concurrency == q.Concurrency &&
		p.AppRoot == q.AppRoot && p.Root.same(&q.Root) && p.Environment == q.Environment && p.LogFile == q.LogFile &&
		slices.Equal(p.Command, q.Command) && p.User == q.User && samePointed(p.GID, q.GID) &&
		p.ProcessType == q.ProcessType && p.QuietSignal == q.QuietSignal && p.QuietTime == q.QuietTime && p.StopSignal == q.StopSignal &&
		p.Preloader == q.Preloader && p.NotifySocket == q.NotifySocket && p.StopGrace == q.StopGrace &&
		p.StartedAt.Equal(q.StartedAt) && p.ReadyAt.Equal(q.ReadyAt) && p.SpawnTook == q.SpawnTook &&
		p.Adopted == q.Adopted && p.Unrecorded == q.Unrecorded && slices.Equal(p.ReleaseChanged, q.ReleaseChanged) &&
		(p.Exit == q.Exit || reflect.DeepEqual(p.Exit, q.Exit)) && samePointed(p.Usage, q.Usage)
}

func (r *Root) same(s *Root) bool {
	return r.Device == s.Device && r.Inode == s.Inode && samePointed(r.Owner, s.Owner) && r.Foreign == s.Foreign && samePointed(r.UID, s.UID)
}

func samePointed[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}
