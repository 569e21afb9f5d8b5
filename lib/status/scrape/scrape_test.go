package scrape

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	fromSpawn = `# HELP passenger_up 1 while the daemon runs.
# TYPE passenger_up gauge
passenger_up{part="spawn"} 1
# HELP passenger_uptime_seconds Time.
# TYPE passenger_uptime_seconds gauge
passenger_uptime_seconds{part="spawn"} 3
`
	fromProxy = `# HELP passenger_uptime_seconds Time.
# TYPE passenger_uptime_seconds gauge
passenger_uptime_seconds{part="proxy"} 4
# HELP d_seconds Duration.
# TYPE d_seconds histogram
d_seconds_bucket{app="a",le="+Inf"} 1
d_seconds_sum{app="a"} 0.5
d_seconds_count{app="a"} 1`
	joined = `# HELP passenger_up 1 while the daemon answers.
# TYPE passenger_up gauge
passenger_up{part="spawn"} 1
passenger_up{part="pool"} 0
passenger_up{part="proxy"} 1
# HELP passenger_uptime_seconds Time.
# TYPE passenger_uptime_seconds gauge
passenger_uptime_seconds{part="spawn"} 3
passenger_uptime_seconds{part="proxy"} 4
# HELP d_seconds Duration.
# TYPE d_seconds histogram
d_seconds_bucket{app="a",le="+Inf"} 1
d_seconds_sum{app="a"} 0.5
d_seconds_count{app="a"} 1
`
)

func TestJoin(t *testing.T) {
	t.Parallel()
	got := Join([]Part{{"spawn", true, []byte(fromSpawn)}, {"pool", false, nil}, {"proxy", true, []byte(fromProxy)}})
	if diff := cmp.Diff(joined, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOnlyKeepsTheOwnersApps(t *testing.T) {
	t.Parallel()
	text := joined + "# HELP x X.\n# TYPE x gauge\nx{app=\"b\"} 1\n"
	got := Only([]byte(text), func(app string) bool { return app == "a" })
	want := `# HELP passenger_up 1 while the daemon answers.
# TYPE passenger_up gauge
passenger_up{part="spawn"} 1
passenger_up{part="pool"} 0
passenger_up{part="proxy"} 1
# HELP d_seconds Duration.
# TYPE d_seconds histogram
d_seconds_bucket{app="a",le="+Inf"} 1
d_seconds_sum{app="a"} 0.5
d_seconds_count{app="a"} 1
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line string
		want Sample
		ok   bool
	}{
		{"a 1", Sample{"a", map[string]string{}, 1}, true},
		{`a{b="c"} 1.5 1234`, Sample{"a", map[string]string{"b": "c"}, 1.5}, true},
		{`a{b="}\"\\\n",c="d"} +Inf`, Sample{"a", map[string]string{"b": "}\"\\\n", "c": "d"}, math.Inf(1)}, true},
		{`a{b="c`, Sample{}, false},
		{`a{b} 1`, Sample{}, false},
		{`a{b="c\`, Sample{}, false},
		{"# HELP a b", Sample{}, false},
		{"", Sample{}, false},
		{"a b", Sample{}, false},
	} {
		got, ok := Parse([]byte(tt.line))
		if ok != tt.ok {
			t.Errorf("%q: got %v, want %v", tt.line, ok, tt.ok)
		}
		if diff := cmp.Diff(tt.want, got); ok && diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.line, diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`a{b="c\n"} 1`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if s, ok := Parse(line); ok && s.Name == "" {
			t.Errorf("%q has no name", line)
		}
	})
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	text := `passenger_proxy_request_duration_seconds_bucket{app="a",status="2xx",le="0.1"} 50
passenger_proxy_request_duration_seconds_bucket{app="a",status="2xx",le="1"} 80
passenger_proxy_request_duration_seconds_bucket{app="a",status="2xx",le="+Inf"} 90
passenger_proxy_request_duration_seconds_bucket{app="a",status="5xx",le="0.1"} 0
passenger_proxy_request_duration_seconds_bucket{app="a",status="5xx",le="1"} 10
passenger_proxy_request_duration_seconds_bucket{app="a",status="5xx",le="+Inf"} 10
`
	h := Durations([]byte(text))["a"]
	for q, want := range map[float64]float64{0.25: 0.05, 0.5: 0.1, 0.7: 0.55, 0.99: 1} {
		if got, ok := h.Quantile(q); !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("quantile %g: got %g, %v, want %g", q, got, ok, want)
		}
	}
	if _, ok := h.Since(h).Quantile(0.5); ok {
		t.Error("got a quantile of nothing")
	}
	if got := (Histogram{}).Since(h).total(); got != 0 {
		t.Errorf("got %g of a new proxy, want 0", got)
	}
}
