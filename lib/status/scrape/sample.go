package scrape

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Sample is one line.
type Sample struct {
	Name   string
	Labels map[string]string
	Value  float64
}

// Parse reads a line of a sample; false for any other.
func Parse(line []byte) (Sample, bool) {
	text := strings.TrimSpace(string(line))
	if text == "" || text[0] == '#' {
		return Sample{}, false
	}
	end := strings.IndexAny(text, "{ ")
	if end <= 0 {
		return Sample{}, false
	}
	s := Sample{Name: text[:end], Labels: map[string]string{}}
	rest := text[end:]
	if rest[0] == '{' {
		var ok bool
		if rest, ok = s.labels(rest[1:]); !ok {
			return Sample{}, false
		}
	}
	value, _, _ := strings.Cut(strings.TrimSpace(rest), " ") // a time may follow
	v, err := strconv.ParseFloat(value, 64)
	s.Value = v
	return s, err == nil
}

// labels reads a="b",c="d"} and returns what follows.
func (s *Sample) labels(text string) (rest string, ok bool) {
	for {
		text = strings.TrimLeft(text, ", ")
		if rest, ok := strings.CutPrefix(text, "}"); ok {
			return rest, true
		}
		name, after, found := strings.Cut(text, `="`)
		if !found {
			return "", false
		}
		var value strings.Builder
		i := 0
		for ; i < len(after) && after[i] != '"'; i++ {
			if after[i] == '\\' && i+1 < len(after) {
				i++
				if after[i] == 'n' {
					value.WriteByte('\n')
					continue
				}
			}
			value.WriteByte(after[i])
		}
		if i == len(after) {
			return "", false
		}
		s.Labels[name] = value.String()
		text = after[i+1:]
	}
}

// Samples returns those of a name.
func Samples(metrics []byte, name string) []Sample {
	var found []Sample
	for line := range bytes.Lines(metrics) {
		if !bytes.HasPrefix(line, []byte(name)) {
			continue
		}
		if s, ok := Parse(line); ok && s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// A Histogram is how many requests took at most so many seconds. Bounds rise,
// the last is infinite; Counts include those of the bounds before.
type Histogram struct {
	Bounds []float64
	Counts []float64
}

// Durations returns how long the requests of each app took, of any status.
func Durations(metrics []byte) map[string]Histogram {
	apps := map[string]Histogram{}
	for _, s := range Samples(metrics, "passenger_proxy_request_duration_seconds_bucket") {
		bound, err := strconv.ParseFloat(s.Labels["le"], 64)
		if err != nil {
			continue
		}
		h := apps[s.Labels["app"]]
		i, found := slices.BinarySearch(h.Bounds, bound)
		if !found {
			h.Bounds, h.Counts = slices.Insert(h.Bounds, i, bound), slices.Insert(h.Counts, i, 0)
		}
		h.Counts[i] += s.Value
		apps[s.Labels["app"]] = h
	}
	return apps
}

// Since is what came after an earlier histogram of the same bounds; one that is
// smaller began anew.
func (h Histogram) Since(earlier Histogram) Histogram {
	if !slices.Equal(h.Bounds, earlier.Bounds) || len(h.Counts) == 0 || h.total() < earlier.total() {
		return h
	}
	since := Histogram{Bounds: h.Bounds, Counts: slices.Clone(h.Counts)}
	for i := range since.Counts {
		since.Counts[i] -= earlier.Counts[i]
	}
	return since
}

func (h Histogram) total() float64 {
	if len(h.Counts) == 0 {
		return 0
	}
	return h.Counts[len(h.Counts)-1]
}

// Quantile estimates as Prometheus' histogram_quantile does: values lie evenly
// between two bounds. It is false without values.
func (h Histogram) Quantile(q float64) (seconds float64, ok bool) {
	total := h.total()
	if total <= 0 {
		return 0, false
	}
	rank := q * total
	for i, n := range h.Counts {
		if n < rank {
			continue
		}
		low, before := 0.0, 0.0
		if i > 0 {
			low, before = h.Bounds[i-1], h.Counts[i-1]
		}
		if math.IsInf(h.Bounds[i], 1) || n == before {
			return low, true
		}
		return low + (h.Bounds[i]-low)*(rank-before)/(n-before), true
	}
	return h.Bounds[len(h.Bounds)-1], true
}
