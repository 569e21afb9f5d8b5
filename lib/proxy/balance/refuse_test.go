package balance

import (
	"testing"
	"time"
)

func TestRefusedForLastsUntilAConnectionIsTaken(t *testing.T) {
	t.Parallel()
	at := func(s int) int64 { return int64(time.Duration(s) * time.Second) }
	for _, tt := range []struct {
		name string
		do   func(p *Process)
		want time.Duration
	}{
		{"none", func(*Process) {}, 0},
		{"one", func(p *Process) { p.refuse(at(5)) }, 0},
		{"two", func(p *Process) { p.refuse(at(5)); p.refuse(at(9)) }, 4 * time.Second},
		{"the first long ago", func(p *Process) { p.refuse(at(5)); p.accepted(); p.refuse(at(900)) }, 0},
		{"taken at last", func(p *Process) { p.refuse(at(5)); p.refuse(at(9)); p.accepted() }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var p Process
			tt.do(&p)
			if got := p.refusedFor(); got != tt.want {
				t.Errorf("refusedFor() = %v, want %v", got, tt.want)
			}
		})
	}
}
