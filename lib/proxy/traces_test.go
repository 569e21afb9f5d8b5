package proxy

import (
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"passenger/lib/proxy/trace"
)

// traces makes an exporter with a sampler, and a collector to which it sends what it
// has when stop is called.
func traces(t testing.TB, sampler string) (x *trace.Exporter, stop func() []*tracepb.Span) {
	t.Helper()
	bodies := make(chan []byte, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		bodies <- b
	}))
	t.Cleanup(collector.Close)
	x, err := trace.New(trace.Settings{Endpoint: collector.URL, Getenv: func(name string) string {
		if name == "OTEL_TRACES_SAMPLER" {
			return sampler
		}
		return ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	return x, func() []*tracepb.Span {
		ended, end := context.WithCancel(context.Background())
		end()
		x.Run(ended)
		var spans []*tracepb.Span
		for len(bodies) > 0 {
			var d tracepb.TracesData
			if err := proto.Unmarshal(<-bodies, &d); err != nil {
				t.Error(err)
				continue
			}
			spans = append(spans, d.ResourceSpans[0].ScopeSpans[0].Spans...)
		}
		return spans
	}
}

// The app gets the ID of the span that stands for it, and the tracestate only if the
// trace goes on.
func TestAppJoinsTheTrace(t *testing.T) {
	t.Parallel()
	const theirs = "0af7651916cd43dd8448eb211c80319c"
	for _, proto := range dataProtocols {
		for name, c := range map[string]struct {
			sampler, parent string
			trace, state    string // that the app gets; no trace for one of ours
			spans           int
		}{
			"goes on":     {"", "00-" + theirs + "-b7ad6b7169203331-01", theirs, "a=1", 2},
			"begins":      {"", "00-" + theirs + "-garbage", "", "", 2},
			"not sampled": {"", "00-" + theirs + "-b7ad6b7169203331-00", theirs, "a=1", 0},
			"off":         {"always_off", "", "", "", 0},
		} {
			t.Run(proto+" "+name, func(t *testing.T) {
				t.Parallel()
				x, stop := traces(t, c.sampler)
				s := serve(t, Config{Traces: x}, route(start(t, proto, 1, func(c *call) bool {
					c.ok(c.header("Traceparent") + " " + c.header("Tracestate"))
					return true
				})))
				k := s.dial()
				r := k.send("GET /a?secret=1 HTTP/1.1\r\nHost: shop\r\nTraceparent: " + c.parent + "\r\nTracestate: a=1\r\n\r\n").receive("GET")
				k.send("GET /again HTTP/1.1\r\nHost: shop\r\n\r\n").receive("GET") // the first is over then
				parent, state, _ := strings.Cut(r.Body, " ")
				parts := strings.Split(parent, "-")
				spans := slices.DeleteFunc(stop(), func(s *tracepb.Span) bool { return len(parts) != 4 || hex.EncodeToString(s.TraceId) != parts[1] })
				if len(parts) != 4 || state != c.state || c.trace != "" && parts[1] != c.trace || c.trace == "" && parts[1] == theirs {
					t.Fatalf("the app got %q", r.Body)
				}
				if len(spans) != c.spans {
					t.Fatalf("got %d spans, want %d", len(spans), c.spans)
				}
				if c.spans == 0 {
					if parts[3] != "00" {
						t.Errorf("the app is told %q, and nobody hears the parent", parent)
					}
					return
				}
				server, client := spans[0], spans[1]
				if parts[2] != hex.EncodeToString(client.SpanId) || string(client.ParentSpanId) != string(server.SpanId) || parts[1] != hex.EncodeToString(server.TraceId) {
					t.Errorf("the app is told %q; the spans are\n%v\n%v", parent, server, client)
				}
				if client.StartTimeUnixNano < server.StartTimeUnixNano || client.EndTimeUnixNano > server.EndTimeUnixNano || client.EndTimeUnixNano < client.StartTimeUnixNano {
					t.Errorf("the process's span is not within the other:\n%v\n%v", server, client)
				}
			})
		}
	}
}

// Traces that are off, and requests that are not sampled, cost no memory; nor do
// those that are, once it is warm.
func TestTracingAllocatesNothing(t *testing.T) {
	if racing {
		t.Skip("the race detector makes sync.Pool forget")
	}
	for _, proto := range dataProtocols {
		for _, sampler := range []string{"always_off", "always_on"} {
			x, _ := traces(t, sampler)
			s := serve(t, Config{Traces: x}, route(instant(t, proto)))
			r := newRoundTrip(t, s)
			for range 3000 { // the queue is full then
				r.do(t)
			}
			if n := testing.AllocsPerRun(2000, func() { r.do(t) }); n > 0 {
				t.Errorf("%s, %s: got %v allocations per request, want 0", proto, sampler, n)
			}
		}
	}
}
