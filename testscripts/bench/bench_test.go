package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// A round in which the load itself was late says nothing about any of the servers.
func TestCalm(t *testing.T) {
	late := func(ms ...int) (r result) {
		for i, n := range ms {
			r.samples = append(r.samples, sample{rate: rate{late: time.Duration(n) * time.Millisecond}})
			r.values, r.cpu = append(r.values, float64(i)), append(r.cpu, 0)
		}
		return r
	}
	for _, test := range []struct {
		name     string
		bearable time.Duration
		results  []result
		want     []float64 // rounds that are left of the last
	}{
		{"the calm half", 0, []result{late(1, 9, 2, 8), late(1, 1, 1, 1)}, []float64{0, 2, 3}},
		{"all that are bearable", 5 * time.Millisecond, []result{late(1, 9, 2, 3), late(1, 1, 1, 1)}, []float64{0, 2, 3}},
		{"half of what is unbearable", time.Millisecond, []result{late(7, 9, 6, 5), late(1, 1, 1, 1)}, []float64{0, 2, 3}},
		{"none of those that failed", 5 * time.Millisecond, []result{{err: errors.New("x")}, late(1, 6, 2)}, []float64{0, 2}},
	} {
		calm(test.results, test.bearable)
		last := test.results[len(test.results)-1]
		if !slices.Equal(last.values, test.want) || last.samples[0].rounds < len(test.want) {
			t.Errorf("%s: rounds %v of %d are left, want %v", test.name, last.values, last.samples[0].rounds, test.want)
		}
	}
}

// To visitors who left without an answer it took as long as their patience lasts:
// they are not missing from the slowest.
func TestRateOfVisitorsWhoLeave(t *testing.T) {
	v := visitors{patience: time.Second}
	visits := slices.Repeat([]visit{{status: 200, took: 20 * time.Millisecond}}, 90)
	visits = append(visits, slices.Repeat([]visit{{}}, 5)...)
	visits = append(visits, slices.Repeat([]visit{{status: 503, took: time.Millisecond}}, 5)...)
	r, err := v.rateOf(visits, 10*time.Second)
	if err != nil || r.p99 != time.Second || r.median != 20*time.Millisecond || r.perSecond != 9 || r.offered != 10 || r.refused != 0.5 {
		t.Errorf("got %+v, %v", r, err)
	}
	if r, err := v.rateOf([]visit{{}}, time.Second); err != nil || r.median != time.Second {
		t.Errorf("without any answer: %+v, %v", r, err)
	}
	if _, err := v.rateOf([]visit{{status: 404}}, time.Second); err == nil {
		t.Error("another status counts as an answer")
	}
}

// A server that was not measured has the reason in its line; the others have theirs.
func TestPrintRow(t *testing.T) {
	r := row{name: "hello", title: "Hello", unit: "µs", format: "%.1f", less: true}
	results := []result{
		{contestant: contestant{name: "absent"}, err: errors.New("no such file")},
		{contestant: contestant{name: "nginx", target: 0.95}, values: []float64{10, 20, 30}},
		{contestant: contestant{name: "stuck"}, values: []float64{0, 0, 0}},
		{contestant: contestant{name: "ours"}, values: []float64{9, 19, 27}},
	}
	var b strings.Builder
	list := printRow(&b, r, results, spending{})
	printSummary(&b, list)
	for _, want := range []string{"NOT MEASURED: no such file", "0.90 × (0.90–0.95)", "≤ 0.95 ×", "reached", "stuck"} {
		if strings.Count(b.String(), want) < 2 { // in the row, and in the summary
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
}

func TestNamesOfRows(t *testing.T) {
	if !(row{name: "overload-3"}).is("overload") || (row{name: "idle"}).is("idle-tls") || (row{name: "workers"}).is("work") {
		t.Error("a name stands for itself and for those that go on with a hyphen")
	}
}
