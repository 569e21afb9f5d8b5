package trace

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"passenger/lib/http1"
)

// request parses one with fields as "Name: value".
func request(t testing.TB, fields ...string) *http1.Request {
	t.Helper()
	text := "GET /a/b?secret=1 HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: curl\r\n"
	for _, f := range fields {
		text += f + "\r\n"
	}
	var r http1.Request
	r.Reset()
	if done, err := r.Parse([]byte(text + "\r\n")); err != nil || !done {
		t.Fatal(done, err)
	}
	return &r
}

const (
	theirTrace  = "0af7651916cd43dd8448eb211c80319c"
	theirParent = "b7ad6b7169203331"
	ourID       = "11112222333344445555666677778888"
)

func exporter(t testing.TB, sampler string) *Exporter {
	t.Helper()
	x, err := New(Settings{Endpoint: "http://collector.test:4318", Release: "1.2", Getenv: func(name string) string {
		if name == "OTEL_TRACES_SAMPLER" {
			return sampler
		}
		return ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// W3C Trace Context: what is valid is gone on with, all else begins a trace.
func TestTraceparent(t *testing.T) {
	t.Parallel()
	valid := "traceparent: 00-" + theirTrace + "-" + theirParent + "-01"
	for name, c := range map[string]struct {
		sampler  string
		fields   []string
		app      string // what it gets: "theirs", "goes on", "begins", or "begins unsampled"
		sampled  bool
		hasFlags string
	}{
		"none":                      {"", nil, "begins", true, "01"},
		"sampled":                   {"", []string{valid}, "goes on", true, "01"},
		"upper-case name":           {"", []string{"TraceParent: 00-" + theirTrace + "-" + theirParent + "-01"}, "goes on", true, "01"},
		"not sampled":               {"", []string{"traceparent: 00-" + theirTrace + "-" + theirParent + "-00"}, "theirs", false, ""},
		"random flag":               {"", []string{"traceparent: 00-" + theirTrace + "-" + theirParent + "-03"}, "goes on", true, "03"},
		"unknown flags":             {"", []string{"traceparent: 00-" + theirTrace + "-" + theirParent + "-ff"}, "goes on", true, "03"},
		"twice":                     {"", []string{valid, valid}, "begins", true, "01"},
		"upper-case digits":         {"", []string{"traceparent: 00-" + strings.ToUpper(theirTrace) + "-" + theirParent + "-01"}, "begins", true, "01"},
		"trace of zeros":            {"", []string{"traceparent: 00-00000000000000000000000000000000-" + theirParent + "-01"}, "begins", true, "01"},
		"parent of zeros":           {"", []string{"traceparent: 00-" + theirTrace + "-0000000000000000-01"}, "begins", true, "01"},
		"version ff":                {"", []string{"traceparent: ff-" + theirTrace + "-" + theirParent + "-01"}, "begins", true, "01"},
		"later version":             {"", []string{"traceparent: cc-" + theirTrace + "-" + theirParent + "-01"}, "goes on", true, "01"},
		"later version with more":   {"", []string{"traceparent: cc-" + theirTrace + "-" + theirParent + "-01-what-comes"}, "goes on", true, "01"},
		"later version, no hyphen":  {"", []string{"traceparent: cc-" + theirTrace + "-" + theirParent + "-01.what"}, "begins", true, "01"},
		"more than version 00 has":  {"", []string{"traceparent: 00-" + theirTrace + "-" + theirParent + "-01-x"}, "begins", true, "01"},
		"cut off":                   {"", []string{"traceparent: 00-" + theirTrace + "-" + theirParent + "-0"}, "begins", true, "01"},
		"empty":                     {"", []string{"traceparent: "}, "begins", true, "01"},
		"very long":                 {"", []string{"traceparent: 00-" + strings.Repeat("a", 5000)}, "begins", true, "01"},
		"sampler off, none":         {"always_off", nil, "begins unsampled", false, "00"},
		"sampler off, sampled":      {"always_off", []string{valid}, "goes on unsampled", false, "00"},
		"parent based off, sampled": {"parentbased_always_off", []string{valid}, "goes on", true, "01"},
		"parent based off, none":    {"parentbased_always_off", nil, "begins unsampled", false, "00"},
		"sampler on, not sampled":   {"always_on", []string{"traceparent: 00-" + theirTrace + "-" + theirParent + "-00"}, "goes on", true, "01"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s Span
			exporter(t, c.sampler).Begin(&s, request(t, c.fields...), []byte(ourID))
			if s.Sampled() != c.sampled {
				t.Errorf("got sampled %v", s.Sampled())
			}
			value := string(s.Traceparent())
			if c.app == "theirs" {
				if value != "" {
					t.Errorf("got %q, want the client's own", value)
				}
				return
			}
			parts := strings.Split(value, "-")
			if len(value) != parentLength || len(parts) != 4 || parts[0] != "00" || parts[3] != c.hasFlags {
				t.Fatalf("got %q, want flags %s", value, c.hasFlags)
			}
			goesOn := strings.HasPrefix(c.app, "goes on")
			if wantTrace := map[bool]string{true: theirTrace, false: ourID}[goesOn]; parts[1] != wantTrace || string(s.TraceID()) != wantTrace {
				t.Errorf("got trace %s and %s, want %s", parts[1], s.TraceID(), wantTrace)
			}
			if s.Continues() != goesOn {
				t.Errorf("got continues %v: it decides on the tracestate", s.Continues())
			}
			if parts[2] == theirParent || parts[2] == "0000000000000000" {
				t.Errorf("got parent %s", parts[2])
			}
			if c.sampled && parts[2] != hex.EncodeToString(s.client[:]) {
				t.Errorf("got parent %s, want the span of the process, %x", parts[2], s.client)
			}
		})
	}
}

// A request that brings an ID of its own has a trace with another name, and so has
// one whose ID is none.
func TestTraceWithoutAnIDOfOurs(t *testing.T) {
	t.Parallel()
	x := exporter(t, "")
	for _, id := range []string{"", "zz", strings.Repeat("0", 32), ourID + "00"} {
		var s Span
		x.Begin(&s, request(t), []byte(id))
		if id := string(s.TraceID()); len(id) != 32 || strings.Trim(id, "0") == "" {
			t.Errorf("got trace %q", id)
		}
	}
}

func TestSamplers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, arg string
		want      float64 // the share that is sampled, -1 for an error
	}{
		{"", "", 1},
		{"always_on", "", 1},
		{"always_off", "1", 0},
		{"traceidratio", "", 1},
		{"traceidratio", "0", 0},
		{"traceidratio", "1", 1},
		{"traceidratio", "0.25", 0.25},
		{"parentbased_traceidratio", "0.5", 0.5},
		{"traceidratio", "1.5", -1},
		{"traceidratio", "-0.1", -1},
		{"traceidratio", "NaN", -1},
		{"traceidratio", "half", -1},
		{"jaeger_remote", "", -1},
		{"parentbased_", "", 1},
	} {
		s, err := samplerOf(c.name, c.arg)
		if (err != nil) != (c.want < 0) {
			t.Errorf("%s(%s): got error %v", c.name, c.arg, err)
			continue
		}
		const n = 20000
		taken := 0
		for range n {
			var id [16]byte
			random(id[:8])
			random(id[8:])
			if s.samples(false, false, id) {
				taken++
			}
		}
		if got := float64(taken) / n; err == nil && (got < c.want-0.05 || got > c.want+0.05) {
			t.Errorf("%s(%s): got %v", c.name, c.arg, got)
		}
	}
}

func TestSpanOfAnotherRequestIsEmpty(t *testing.T) {
	t.Parallel()
	// A request that went through as it came left nothing for the next one.
	var reused Span
	x := exporter(t, "")
	x.Begin(&reused, request(t, "traceparent: 00-"+theirTrace+"-"+theirParent+"-00"), nil)
	reused.Reset()
	x.Begin(&reused, request(t), nil)
	if reused.Continues() || reused.parent != [8]byte{} {
		t.Errorf("got %+v, which goes on another request's trace", reused)
	}
	var s Span
	exporter(t, "").Begin(&s, request(t), nil)
	s.Sends()
	s.Hit()
	s.Reset()
	if s != (Span{}) {
		t.Errorf("got %+v", s)
	}
}

// What is off, or not sampled, costs no memory.
func TestUnsampledRequestsAllocateNothing(t *testing.T) {
	x, r := exporter(t, "always_off"), request(t)
	var s Span
	record := Record{Request: r}
	if n := testing.AllocsPerRun(100, func() {
		s.Reset()
		x.Begin(&s, r, nil)
		s.Sends()
		s.Hears()
		s.Leaves(200)
		x.Add(&s, &record)
	}); n > 0 {
		t.Errorf("got %v allocations", n)
	}
}

func FuzzTraceparent(f *testing.F) {
	f.Add("00-"+theirTrace+"-"+theirParent+"-01", "a=1")
	f.Add("ff-", ",,,")
	f.Fuzz(func(t *testing.T, parent, state string) {
		for _, v := range []string{parent, state} {
			if strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c == 0x7f }) || v != strings.TrimSpace(v) {
				return
			}
		}
		text := []byte("GET / HTTP/1.1\r\nHost: a\r\ntraceparent: " + parent + "\r\ntracestate: " + state + "\r\n\r\n")
		var r http1.Request
		r.Reset()
		if done, err := r.Parse(text); err != nil || !done {
			return
		}
		var s Span
		x := exporter(t, "always_on")
		x.Begin(&s, &r, nil)
		if v := s.Traceparent(); len(v) != parentLength || !bytes.HasSuffix(v, []byte("01")) && !bytes.HasSuffix(v, []byte("03")) {
			t.Errorf("got %q", v)
		}
		s.Sends()
		decoded(t, x.encode([]*item{{b: appendSpans(nil, &s, &Record{Request: &r}), spans: 2}}))
	})
}
