package buffering

import "testing"

func TestLeasesTakeOfAllSharesOrNone(t *testing.T) {
	t.Parallel()
	all, app, connection, other := &Share{Most: 100}, &Share{}, &Share{Most: 60}, &Share{}
	one, two, three := NewLease(connection, app, all), NewLease(connection, app, all), NewLease(other, app, all)
	if one.grow(50) != nil || two.grow(11) != connection || two.grow(10) != nil {
		t.Fatalf("got %d of the connection's 60", connection.Used())
	}
	if three.grow(41) != all || other.Used() != 0 || app.Used() != 60 || all.Spent() != 1 || connection.Spent() != 1 {
		t.Errorf("got %d, %d, %d", other.Used(), app.Used(), all.Used())
	}
	three.force(41)
	answer := NewAnswerLease(other, app, all)
	answer.force(7)
	if connection.Owed() != 0 || other.Owed() != 7 {
		t.Errorf("%d and %d bytes are of answers, want 0 and 7", connection.Owed(), other.Owed())
	}
	for range 2 {
		for _, l := range []*Lease{one, two, three, answer} {
			l.end()
		}
	}
	for _, s := range []*Share{connection, other, app, all} {
		if n, owed := s.Used(), s.Owed(); n != 0 || owed != 0 {
			t.Errorf("%d are left, and %d of answers", n, owed)
		}
	}
}
