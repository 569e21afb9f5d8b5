package trace

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"passenger/lib/control"
)

// decoded reads a message as a collector does: TracesData has the same form as
// ExportTraceServiceRequest.
func decoded(t testing.TB, b []byte) (resource map[string]string, spans []*tracepb.Span) {
	t.Helper()
	var d tracepb.TracesData
	if err := proto.Unmarshal(b, &d); err != nil {
		t.Fatalf("the collector cannot read it: %v", err)
	}
	if len(d.ProtoReflect().GetUnknown()) > 0 || len(d.ResourceSpans) != 1 || len(d.ResourceSpans[0].ScopeSpans) != 1 {
		t.Fatalf("got %v", &d)
	}
	return attributes(d.ResourceSpans[0].Resource.Attributes), d.ResourceSpans[0].ScopeSpans[0].Spans
}

func attributes(list []*commonpb.KeyValue) map[string]string {
	found := map[string]string{}
	for _, a := range list {
		switch v := a.Value.Value.(type) {
		case *commonpb.AnyValue_StringValue:
			found[a.Key] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			found[a.Key] = fmt.Sprint(v.IntValue)
		case *commonpb.AnyValue_DoubleValue:
			found[a.Key] = fmt.Sprint(v.DoubleValue)
		}
	}
	return found
}

var began = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

// busy is a request that waited for a process to start and got status 502.
func busy(t testing.TB, x *Exporter) (*Span, *Record) {
	var s Span
	r := request(t, "traceparent: 00-"+theirTrace+"-"+theirParent+"-01", "tracestate: a=1", "TraceState: b=2")
	x.Begin(&s, r, nil)
	s.Miss()
	s.sent, s.heard, s.ended, s.status, s.resends = began.Add(3*time.Second), began.Add(4*time.Second), began.Add(5*time.Second), 404, 1
	return &s, &Record{
		Request: r, Addr: []byte("203.0.113.7"), Scheme: []byte("https"), ServerAddress: []byte("shop.example"), ServerPort: []byte("8080"),
		Began: began, Took: 6 * time.Second, Queued: began.Add(time.Second), Waited: 2 * time.Second, Starting: true,
		Status: 502, Bytes: 12, App: "shop", Process: "abc", PID: 77,
	}
}

func TestSpansAsTheCollectorReadsThem(t *testing.T) {
	t.Parallel()
	x := exporter(t, "")
	s, r := busy(t, x)
	x.Add(s, r)
	resource, spans := decoded(t, x.encode([]*item{<-x.queue}))
	delete(resource, "host.name")
	want := map[string]string{
		"service.name": "passenger-proxy", "service.version": "1.2",
		"telemetry.sdk.name": "passenger", "telemetry.sdk.language": "go", "telemetry.sdk.version": "1.2",
	}
	if diff := cmp.Diff(want, resource); diff != "" {
		t.Errorf("resource (-want +got):\n%s", diff)
	}
	if len(spans) != 2 {
		t.Fatalf("got %d spans", len(spans))
	}
	server, client := spans[0], spans[1]
	common := map[string]string{"http.request.method": "GET", "passenger.app": "shop", "server.address": "shop.example", "server.port": "8080"}
	with := func(more map[string]string) map[string]string {
		for k, v := range common {
			more[k] = v
		}
		return more
	}
	if diff := cmp.Diff(with(map[string]string{
		"url.path": "/a/b", "url.scheme": "https", "client.address": "203.0.113.7", "user_agent.original": "curl",
		"network.protocol.version": "1.1", "http.response.body.size": "12", "http.response.status_code": "502", "error.type": "502",
	}), attributes(server.Attributes)); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(with(map[string]string{
		"peer.service": "shop", "passenger.process.id": "abc", "passenger.process.pid": "77", "http.request.resend_count": "1",
		"http.response.status_code": "404", "error.type": "404",
	}), attributes(client.Attributes)); diff != "" {
		t.Errorf("client (-want +got):\n%s", diff)
	}
	for _, span := range spans {
		if hex.EncodeToString(span.TraceId) != theirTrace || span.TraceState != "a=1,b=2" || span.Name != "GET" || span.Status.GetCode() != tracepb.Status_STATUS_CODE_ERROR {
			t.Errorf("got %v", span)
		}
	}
	if server.Kind != tracepb.Span_SPAN_KIND_SERVER || hex.EncodeToString(server.ParentSpanId) != theirParent || server.Flags != 0x301 ||
		server.StartTimeUnixNano != uint64(began.UnixNano()) || server.EndTimeUnixNano != uint64(began.Add(6*time.Second).UnixNano()) {
		t.Errorf("got %v", server)
	}
	if client.Kind != tracepb.Span_SPAN_KIND_CLIENT || !bytes.Equal(client.ParentSpanId, server.SpanId) || client.Flags != 0x101 ||
		!strings.Contains(string(s.Traceparent()), hex.EncodeToString(client.SpanId)) ||
		client.StartTimeUnixNano != uint64(s.sent.UnixNano()) || client.EndTimeUnixNano != uint64(s.ended.UnixNano()) {
		t.Errorf("got %v", client)
	}
	var events []string
	for _, e := range append(server.Events, client.Events...) {
		events = append(events, fmt.Sprint(e.Name, " ", time.Duration(e.TimeUnixNano-uint64(began.UnixNano())), " ", attributes(e.Attributes)["passenger.wait_seconds"]))
	}
	if diff := cmp.Diff([]string{"cache.miss 0s ", "start.wait 1s ", "start.end 3s 2", "first_byte 4s "}, events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if all := fmt.Sprint(spans); strings.Contains(all, "secret") {
		t.Error("the query is told")
	}
}

// A request that no process saw has one span; one whose client left has no status.
func TestSpanWithoutAProcess(t *testing.T) {
	t.Parallel()
	x := exporter(t, "")
	var s Span
	r := request(t)
	r.Method, r.Path = []byte("P\xffRGE"), append([]byte("/\xff"), bytes.Repeat([]byte("x"), 5000)...)
	x.Begin(&s, r, nil)
	x.Add(&s, &Record{Request: r, Began: began})
	_, spans := decoded(t, x.encode([]*item{<-x.queue}))
	if len(spans) != 1 || len(spans[0].ParentSpanId) != 0 || spans[0].Name != "HTTP" || spans[0].Flags != 1 {
		t.Fatalf("got %v", spans)
	}
	a := attributes(spans[0].Attributes)
	if a["error.type"] != "client_gone" || a["http.request.method"] != "_OTHER" || a["http.request.method_original"] != "P\ufffdRGE" ||
		a["http.response.status_code"] != "" || len(a["url.path"]) > mostPath+3 {
		t.Errorf("got %v", a)
	}
}

// A full queue keeps nobody waiting: the rest is dropped and counted.
func TestFullQueueDrops(t *testing.T) {
	t.Parallel()
	x := exporter(t, "")
	s, r := busy(t, x)
	for range mostQueued + 10 {
		x.Add(s, r)
	}
	if n := x.count.dropped.Load(); n != 20 || len(x.queue) != mostQueued {
		t.Errorf("got %d spans dropped, %d queued", n, len(x.queue))
	}
	var m control.Metrics
	x.Metrics(&m)
	if text := string(m.Text()); !strings.Contains(text, `passenger_proxy_spans_total{result="dropped"} 20`) || !strings.Contains(text, "passenger_proxy_spans_queued 2048") {
		t.Errorf("got %s", text)
	}
}

// A collector is one that answers as a test says: its n-th message is that many
// spans.
type collector struct {
	answer func(n int, spans []*tracepb.Span) (*http.Response, error)

	mu    sync.Mutex // guards the fields below
	times []time.Duration
	start time.Time
	spans int
}

func (c *collector) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var d tracepb.TracesData
	if err := proto.Unmarshal(b, &d); err != nil {
		return nil, err
	}
	spans := d.ResourceSpans[0].ScopeSpans[0].Spans
	c.mu.Lock()
	n := len(c.times)
	c.times = append(c.times, time.Since(c.start).Round(time.Second))
	c.mu.Unlock()
	res, err := c.answer(n, spans)
	if err == nil {
		res.Body = io.NopCloser(res.Body)
		if r.Context().Err() != nil {
			return nil, r.Context().Err()
		}
	}
	if err == nil && res.StatusCode == 200 {
		c.mu.Lock()
		c.spans += len(spans)
		c.mu.Unlock()
	}
	return res, err
}

func answer(status int, fields ...string) *http.Response {
	res := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		res.Header.Set(name, value)
	}
	return res
}

// Retries, on a fake clock: what is taken, lost and when it was tried.
func TestCollectorsThatDoNotTakeIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		requests         int
		answer           func(n int, spans []*tracepb.Span) (*http.Response, error)
		exported, failed uint64
		attempts         [2]int // at least, at most
		notBefore        time.Duration
	}{
		"takes it": {1, func(int, []*tracepb.Span) (*http.Response, error) { return answer(200), nil }, 2, 0, [2]int{1, 1}, 0},
		"refuses the message": {1, func(int, []*tracepb.Span) (*http.Response, error) {
			return answer(400, "Content-Type: text/plain"), nil
		}, 0, 2, [2]int{1, 1}, 0},
		"sends elsewhere": {1, func(int, []*tracepb.Span) (*http.Response, error) { return answer(307, "Location: http://other/"), nil }, 0, 2, [2]int{1, 1}, 0},
		"wants a key":     {1, func(int, []*tracepb.Span) (*http.Response, error) { return answer(401), nil }, 0, 2, [2]int{1, 1}, 0},
		"is not there":    {1, func(int, []*tracepb.Span) (*http.Response, error) { return nil, errors.New("connection refused") }, 0, 2, [2]int{4, 9}, 0},
		"is away, comes back": {1, func(n int, _ []*tracepb.Span) (*http.Response, error) {
			return answer(map[bool]int{true: 503, false: 200}[n < 3]), nil
		}, 2, 0, [2]int{4, 4}, 0},
		"is busy": {1, func(n int, _ []*tracepb.Span) (*http.Response, error) {
			return answer(map[bool]int{true: 429, false: 200}[n < 1], "Retry-After: 20"), nil
		}, 2, 0, [2]int{2, 2}, 25 * time.Second},
		"is busy for too long": {1, func(int, []*tracepb.Span) (*http.Response, error) { return answer(503, "Retry-After: 86400"), nil }, 0, 2, [2]int{1, 1}, 0},
		"takes it, and does not end its answer": {1, func(int, []*tracepb.Span) (*http.Response, error) {
			res := answer(200)
			res.Body = io.NopCloser(io.MultiReader(strings.NewReader("\x0a\x02\x08\x01"), iotest.ErrReader(io.ErrUnexpectedEOF)))
			return res, nil
		}, 1, 0, [2]int{1, 1}, 0},
		"is busy for ever": {1, func(int, []*tracepb.Span) (*http.Response, error) {
			time.Sleep(time.Second)
			return answer(503, "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT"), nil // more than a Duration holds
		}, 0, 2, [2]int{1, 1}, 0},
		"takes half a message": {8, func(_ int, spans []*tracepb.Span) (*http.Response, error) {
			return answer(map[bool]int{true: 413, false: 200}[len(spans) > 4]), nil
		}, 16, 0, [2]int{7, 7}, 0},
		"takes not even a span": {2, func(int, []*tracepb.Span) (*http.Response, error) { return answer(413), nil }, 0, 4, [2]int{3, 3}, 0},
		"hangs": {1, func(int, []*tracepb.Span) (*http.Response, error) {
			time.Sleep(10*time.Second + 1) // the context is over then
			return answer(200), nil
		}, 0, 2, [2]int{2, 6}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x := exporter(t, "")
				k := &collector{answer: c.answer, start: time.Now()}
				x.client.Transport = k
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { x.Run(ctx); close(done) }()
				for range c.requests {
					x.Add(busy(t, x))
				}
				time.Sleep(5 * time.Minute)
				stop()
				<-done
				if e, f := x.count.exported.Load(), x.count.failed.Load(); e != c.exported || f != c.failed {
					t.Errorf("got %d exported, %d failed, want %d and %d", e, f, c.exported, c.failed)
				}
				if n := len(k.times); n < c.attempts[0] || n > c.attempts[1] {
					t.Errorf("got attempts at %v, want from %d to %d", k.times, c.attempts[0], c.attempts[1])
				}
				if last := k.times[len(k.times)-1]; last < c.notBefore {
					t.Errorf("the last attempt was after %v, want not before %v", last, c.notBefore)
				}
			})
		})
	}
}

// A key may be part of the endpoint. Logs have none of it.
func TestKeysOfTheEndpointAreNotLogged(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"http://geheim:geheim@collector.invalid", "http://geheim@collector.invalid", "http://collector.invalid/?key=geheim"} {
		x, err := New(Settings{Endpoint: endpoint, Getenv: func(string) string { return "" }})
		if err != nil {
			t.Fatal(err)
		}
		x.client.Transport = roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") })
		x.Add(busy(t, x))
		_, err = x.post(t.Context(), []*item{<-x.queue})
		if err == nil || err.Error() != "connection refused" {
			t.Errorf("%s: got error %v", endpoint, err)
		}
		if got := x.target.shown(); strings.Contains(got, "geheim") || !strings.Contains(got, "collector.invalid/v1/traces") {
			t.Errorf("%s is shown as %q", endpoint, got)
		}
	}
}

// What is queued when the proxy stops is sent yet; a collector that hangs does not
// keep it.
func TestWhatIsLeftIsSentAtTheEnd(t *testing.T) {
	t.Parallel()
	for name, hangs := range map[string]bool{"answers": false, "hangs": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x := exporter(t, "")
				x.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
					if hangs {
						<-r.Context().Done()
						return nil, r.Context().Err()
					}
					return answer(200), nil
				})
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { x.Run(ctx); close(done) }()
				for range mostBatch + 5 {
					x.Add(busy(t, x))
				}
				began := time.Now()
				stop()
				<-done
				if took := time.Since(began); took > partingTime {
					t.Errorf("it took %v", took)
				}
				sent, lost := x.count.exported.Load(), x.count.failed.Load()
				if sent+lost != 2*(mostBatch+5) || (lost > 0) != hangs {
					t.Errorf("got %d sent, %d lost", sent, lost)
				}
			})
		})
	}
}

// So is what a collector did not take yet when the proxy stops.
func TestWhatIsRetriedIsSentAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := exporter(t, "")
		k := &collector{answer: func(n int, _ []*tracepb.Span) (*http.Response, error) {
			return answer(map[bool]int{true: 503, false: 200}[n < 2]), nil
		}, start: time.Now()}
		x.client.Transport = k
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { x.Run(ctx); close(done) }()
		x.Add(busy(t, x))
		time.Sleep(gatherTime + firstPause + firstPause/2) // two attempts, and a pause
		stop()
		<-done
		if e, n := x.count.exported.Load(), len(k.times); e != 2 || n != 3 {
			t.Errorf("got %d spans exported after %d attempts, want 2 after 3", e, n)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRejectedSpansAreCounted(t *testing.T) {
	t.Parallel()
	partial, at := open(nil, 1)
	partial = appendVarint(partial, 1, 3)
	partial = closeMessage(appendBytes(partial, 2, []byte("too old")), at)
	for name, c := range map[string]struct {
		answer string
		want   uint64
	}{
		"none":    {"", 0},
		"three":   {string(partial), 3},
		"cut off": {string(partial[:len(partial)-3]), 0},
		"garbage": {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 0},
		"JSON":    {`{"partialSuccess":{}}`, 0},
	} {
		if got := rejected([]byte(c.answer)); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

func FuzzRejected(f *testing.F) {
	f.Add([]byte("\x0a\x02\x08\x03"))
	f.Fuzz(func(t *testing.T, b []byte) { rejected(b) })
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "1e9": 0,
		"Mon, 30 Nov 2026 09:00:30 GMT": 30 * time.Second, "Mon, 30 Nov 2026 08:00:00 GMT": 0,
	} {
		if got := retryAfter(v, began); got != want {
			t.Errorf("%q: got %v, want %v", v, got, want)
		}
	}
}

// What the variables say reaches the collector.
func TestMessageOnTheWire(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 1)
	bodies := make(chan []byte, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		b, _ := io.ReadAll(z)
		got <- r
		bodies <- b
	}))
	defer s.Close()
	env := map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": s.URL + "/otel/", "OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=a%20b, x=1", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
		"OTEL_SERVICE_NAME": "front", "OTEL_RESOURCE_ATTRIBUTES": "service.name=other,deployment.environment.name=te%2Cst",
	}
	x, err := New(Settings{Getenv: func(name string) string { return env[name] }, Release: "1"})
	if err != nil {
		t.Fatal(err)
	}
	x.Add(busy(t, x))
	if _, err := x.post(t.Context(), []*item{<-x.queue}); err != nil {
		t.Fatal(err)
	}
	r := <-got
	if r.URL.Path != "/otel/v1/traces" || r.Header.Get("Api-Key") != "a b" || r.Header.Get("X") != "1" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		t.Errorf("got %s %v", r.URL, r.Header)
	}
	resource, spans := decoded(t, <-bodies)
	if len(spans) != 2 || resource["service.name"] != "front" || resource["deployment.environment.name"] != "te,st" {
		t.Errorf("got %v, %d spans", resource, len(spans))
	}
}

// The head of an answer takes no more memory than its body.
func TestEndlessHeadOfAnAnswer(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X", strings.Repeat("x", 2*mostAnswer))
	}))
	defer s.Close()
	x, err := New(Settings{Endpoint: s.URL, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	x.Add(busy(t, x))
	if _, err := x.post(t.Context(), []*item{<-x.queue}); err == nil || !strings.Contains(err.Error(), "headers exceeded") {
		t.Errorf("got error %v", err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for name, c := range map[string]struct {
		flag string
		env  map[string]string
		url  string // empty for no traces
		err  string
	}{
		"nothing":                 {"", nil, "", ""},
		"flag":                    {"http://a:4318", nil, "http://a:4318/v1/traces", ""},
		"flag with the path":      {"http://a:4318/v1/traces", nil, "http://a:4318/v1/traces", ""},
		"flag wins":               {"http://a:4318", map[string]string{endpoint: "http://b", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}, "http://a:4318/v1/traces", ""},
		"variable":                {"", map[string]string{endpoint: "https://b/x"}, "https://b/x/v1/traces", ""},
		"variable for traces":     {"", map[string]string{endpoint: "https://b", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/t"}, "http://c/t", ""},
		"SDK disabled":            {"http://a", map[string]string{"OTEL_SDK_DISABLED": "TRUE"}, "", ""},
		"no exporter":             {"http://a", map[string]string{"OTEL_TRACES_EXPORTER": "none"}, "", ""},
		"no URL":                  {"a:4318", nil, "", "--otlp-endpoint"},
		"no host":                 {"http://", nil, "", "must be a URL"},
		"other scheme":            {"", map[string]string{endpoint: "grpc://a"}, "", endpoint},
		"other scheme with keys":  {"grpc://geheim:geheim@a/?key=geheim", nil, "", "must be a URL"},
		"no URL with a key":       {"http://a:b?key=geheim", nil, "", "must be a URL"},
		"gRPC":                    {"", map[string]string{endpoint: "http://a", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "", "http/protobuf alone"},
		"gRPC, but not for these": {"", map[string]string{endpoint: "http://a", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}, "http://a/v1/traces", ""},
		"sampler":                 {"http://a", map[string]string{"OTEL_TRACES_SAMPLER": "never"}, "", "OTEL_TRACES_SAMPLER"},
		"compression":             {"http://a", map[string]string{"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}, "", "COMPRESSION"},
		"timeout":                 {"http://a", map[string]string{"OTEL_EXPORTER_OTLP_TIMEOUT": "10s"}, "", "milliseconds"},
		"headers":                 {"http://a", map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "geheim"}, "", "element 1"},
		"header with a line end":  {"http://a", map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "a=1%0d%0ab: 2"}, "", "no field of HTTP"},
		"attributes":              {"http://a", map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "a=%zz"}, "", "OTEL_RESOURCE_ATTRIBUTES"},
		"missing certificate":     {"http://a", map[string]string{"OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere"}, "", "CERTIFICATE"},
		"no certificate":          {"http://a", map[string]string{"OTEL_EXPORTER_OTLP_CERTIFICATE": "/dev/null"}, "", "has no certificate"},
		"missing key":             {"http://a", map[string]string{"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/nowhere"}, "", "CLIENT_CERTIFICATE"},
	} {
		x, err := New(Settings{Endpoint: c.flag, Getenv: func(name string) string { return c.env[name] }})
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("%s: got error %v, want one with %q", name, err, c.err)
			}
		case err != nil:
			t.Errorf("%s: got error %v", name, err)
		case x == nil && c.url != "", x != nil && x.target.url != c.url:
			t.Errorf("%s: got %+v, want %q", name, x, c.url)
		}
	}
}
