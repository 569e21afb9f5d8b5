package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// A pacing is a load that is the same for all servers of a row: a share of what the
// slowest of them can answer, in many short rounds, of which those count in which the
// load itself came in time.
type pacing struct {
	// most measures what one server can answer a second.
	most func(context.Context, *lab, *server) (float64, error)

	share float64
	load  func(perSecond float64) traffic

	// split says into how many short rounds one is divided, and shortest how long
	// each is at least.
	split    int
	shortest time.Duration

	// bearable is how late the load may be, at the 99th percentile, in a round that
	// counts; 0 leaves the calm half.
	bearable time.Duration
}

// traffic finds out what the servers can answer; those that cannot answer have that
// as their error.
func (p *pacing) traffic(ctx context.Context, l *lab, runners []*runner) traffic {
	slowest := 0.0
	for _, u := range runners {
		if u.err != nil {
			continue
		}
		most, err := p.most(ctx, l, u.server)
		if err == nil && most == 0 {
			err = fmt.Errorf("no answer in %v", overloadPatience)
		}
		if err != nil {
			u.err = fmt.Errorf("while its most is looked for: %w", err)
			continue
		}
		if slowest == 0 || most < slowest {
			slowest = most
		}
	}
	load := p.load(max(1, p.share*slowest))
	return func(ctx context.Context, s *server, duration time.Duration) (rate, error) {
		r, err := load(ctx, s, duration)
		r.capacity = slowest
		return r, err
	}
}

// divide makes short rounds.
func (p *pacing) divide(rounds int, length time.Duration) (int, time.Duration) {
	return rounds * p.split, max(p.shortest, length/time.Duration(p.split))
}

// calm leaves the rounds in which we ourselves were not later than is bearable, in
// front of whichever server: in the others the machine was busy with something else,
// and what they measured is that. It leaves half of the rounds at least, the calmest.
func calm(results []result, bearable time.Duration) {
	var whole []*result
	for i := range results {
		if results[i].err == nil {
			whole = append(whole, &results[i])
		}
	}
	if len(whole) == 0 {
		return
	}
	late := make([]time.Duration, len(whole[0].samples))
	for _, r := range whole {
		late = late[:min(len(late), len(r.samples))]
		for i := range late {
			late[i] = max(late[i], r.samples[i].late)
		}
	}
	limit := max(bearable, percentile(slices.Clone(late), 50))
	for _, r := range whole {
		var values, cpu []float64
		var samples []sample
		for n := range late {
			if late[n] <= limit {
				m := r.samples[n]
				m.rounds = len(late)
				values, cpu, samples = append(values, r.values[n]), append(cpu, r.cpu[n]), append(samples, m)
			}
		}
		r.values, r.cpu, r.samples = values, cpu, samples
	}
}

// remarkCalm says which rounds count.
func remarkCalm(samples []sample) string {
	if len(samples) == 0 {
		return "no round"
	}
	latest := slices.MaxFunc(samples, func(a, b sample) int { return cmp.Compare(a.late, b.late) }).late
	return fmt.Sprintf("%d of %d rounds count, where the load itself was late by %v at most (99th percentile)",
		len(samples), samples[0].rounds, latest.Round(10*time.Microsecond))
}
