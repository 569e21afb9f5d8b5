package crowd

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMemoryIsGivenBackOncePerCrowd(t *testing.T) {
	t.Parallel()
	type arrival struct {
		at      time.Duration
		clients int
	}
	steadily := func(every time.Duration, clients, times int) (list []arrival) {
		for i := range times {
			list = append(list, arrival{time.Duration(i) * every, clients})
		}
		return list
	}
	const s = time.Second
	tests := map[string]struct {
		arrivals []arrival
		cost     time.Duration
		want     []time.Duration // when a collection began
	}{
		"nobody":                         {},
		"too few":                        {arrivals: []arrival{{0, Size - 1}}},
		"a crowd at once":                {arrivals: []arrival{{0, Size}}, want: []time.Duration{3 * s}},
		"it gathers slowly":              {arrivals: steadily(s, 100, 10), want: []time.Duration{12 * s}},
		"its rest comes soon":            {arrivals: []arrival{{0, Size}, {2 * s, Size - 1}}, want: []time.Duration{3 * s}},
		"more than its rest comes":       {arrivals: []arrival{{0, Size}, {2 * s, Size}}, want: []time.Duration{6 * s}},
		"one after the other":            {arrivals: []arrival{{0, Size}, {20 * s, Size}}, want: []time.Duration{3 * s, 23 * s}},
		"too few after it":               {arrivals: []arrival{{0, Size}, {20 * s, Size - 1}}, want: []time.Duration{3 * s}},
		"it never ends":                  {arrivals: steadily(s*7/10, 2*Size, 40), want: []time.Duration{12 * s, s * 246 / 10, s * 312 / 10}},
		"a collection that takes long":   {arrivals: []arrival{{0, Size}, {5 * s, Size}}, cost: s / 2, want: []time.Duration{3 * s, 56 * s}},
		"the next crowd comes during it": {arrivals: []arrival{{0, Size}, {4 * s, Size}}, cost: 5 * s, want: []time.Duration{3 * s, 508 * s}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var got []time.Duration
				c := New(func() {
					got = append(got, time.Since(begin))
					time.Sleep(tt.cost)
				})
				for _, a := range tt.arrivals {
					time.Sleep(a.at - time.Since(begin))
					for range a.clients {
						c.Join()
					}
					synctest.Wait()
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("collections (-want +got):\n%s", diff)
				}
			})
		})
	}
}
