package trace

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Settings are what an exporter is told: the endpoint by a flag, the rest by the
// variables that all of OpenTelemetry share.
type Settings struct {
	Endpoint string              // of all signals, without /v1/traces; empty for what the variables say
	Getenv   func(string) string // os.Getenv
	Release  string              // of the proxy
}

// A target is where spans go, and how.
type target struct {
	url     string
	header  http.Header
	gzip    bool
	timeout time.Duration
	scope   []byte // InstrumentationScope, as a field of ScopeSpans
}

// shown is the endpoint without what may be a secret.
func (t target) shown() string { return shown(t.url) }

// shown is a URL as logs may have it: some collectors take their key in the query or
// in the place of the user. What is no URL is not shown.
func shown(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "?"
	}
	if u.User != nil {
		u.User = url.User("xxxxx")
	}
	if u.RawQuery != "" {
		u.RawQuery = "xxxxx"
	}
	return u.String()
}

// withoutURL is why a message could not be sent, without where: net/http names the
// URL with its query.
func withoutURL(err error) error {
	var sent *url.Error
	if errors.As(err, &sent) {
		return sent.Err
	}
	return err
}

// ErrProtocol says that the variables ask for a protocol of OTLP that this program
// does not speak.
var ErrProtocol = errors.New("this program sends traces by http/protobuf alone")

// New makes an exporter, nil if no endpoint is set, or the variables turn traces
// off.
func New(s Settings) (*Exporter, error) {
	endpoint, err := s.endpoint()
	if endpoint == "" || err != nil {
		return nil, err
	}
	t := &Exporter{queue: make(chan *item, mostQueued), target: target{url: endpoint, timeout: 10 * time.Second}}
	if protocol := s.traces("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: %w", protocol, ErrProtocol)
	}
	if t.sampler, err = samplerOf(s.Getenv("OTEL_TRACES_SAMPLER"), s.Getenv("OTEL_TRACES_SAMPLER_ARG")); err != nil {
		return nil, err
	}
	if err := t.target.read(s); err != nil {
		return nil, err
	}
	if t.head, err = s.resource(); err != nil {
		return nil, err
	}
	t.target.scope = scopeOf(s.Release)
	t.client, err = s.client()
	return t, err
}

// traces is the variable of OTLP for traces, else that for all signals.
func (s Settings) traces(name string) string {
	if v := s.Getenv("OTEL_EXPORTER_OTLP_TRACES_" + name); v != "" {
		return v
	}
	return s.Getenv("OTEL_EXPORTER_OTLP_" + name)
}

// tracesPath is what is added to an endpoint for all signals.
const tracesPath = "/v1/traces"

// endpoint is the URL that spans are posted to, empty for none.
func (s Settings) endpoint() (string, error) {
	if strings.EqualFold(s.Getenv("OTEL_SDK_DISABLED"), "true") || s.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return "", nil
	}
	whole, source := s.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	base := ""
	switch {
	case s.Endpoint != "":
		whole, base, source = "", s.Endpoint, "--otlp-endpoint"
	case whole == "":
		base, source = s.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), "OTEL_EXPORTER_OTLP_ENDPOINT"
	}
	if whole == "" && base == "" {
		return "", nil
	}
	u, err := url.Parse(whole + base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%s is %q; it must be a URL, such as http://127.0.0.1:4318", source, shown(whole+base))
	}
	if base != "" && !strings.HasSuffix(u.Path, tracesPath) {
		u.Path = strings.TrimSuffix(u.Path, "/") + tracesPath
	}
	return u.String(), nil
}

// read reads how messages are sent.
func (t *target) read(s Settings) error {
	t.header = http.Header{"Content-Type": {"application/x-protobuf"}, "User-Agent": {"passenger-proxy/" + s.Release}}
	switch v := s.traces("COMPRESSION"); v {
	case "", "none":
	case "gzip":
		t.gzip = true
		t.header.Set("Content-Encoding", "gzip")
	default:
		return fmt.Errorf("OTEL_EXPORTER_OTLP_COMPRESSION is %q; it must be gzip or none", v)
	}
	if v := s.traces("TIMEOUT"); v != "" {
		ms, err := strconv.ParseUint(v, 10, 31)
		if err != nil || ms == 0 {
			return fmt.Errorf("OTEL_EXPORTER_OTLP_TIMEOUT is %q; it must be a number of milliseconds over 0", v)
		}
		t.timeout = time.Duration(ms) * time.Millisecond
	}
	pairs, err := list(s.traces("HEADERS"))
	if err != nil {
		return fmt.Errorf("OTEL_EXPORTER_OTLP_HEADERS: %w", err)
	}
	for _, p := range pairs {
		if !httpguts.ValidHeaderFieldName(p.key) || !httpguts.ValidHeaderFieldValue(p.value) {
			return fmt.Errorf("OTEL_EXPORTER_OTLP_HEADERS: %q is no field of HTTP", p.key)
		}
		t.header.Set(p.key, p.value)
	}
	return nil
}

type pair struct{ key, value string }

// list reads "key=value,key=value" with values as in W3C Baggage: percent-encoded. A
// value is not shown in an error: it may be a secret.
func list(text string) ([]pair, error) {
	var pairs []pair
	for i, element := range strings.Split(text, ",") {
		if strings.TrimSpace(element) == "" {
			continue
		}
		key, value, ok := strings.Cut(element, "=")
		key = strings.TrimSpace(key)
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || key == "" || err != nil {
			return nil, fmt.Errorf("element %d is not KEY=VALUE, percent-encoded", i+1)
		}
		pairs = append(pairs, pair{key, value})
	}
	return pairs, nil
}

// resource is the Resource, as a field of ResourceSpans.
func (s Settings) resource() ([]byte, error) {
	pairs, err := list(s.Getenv("OTEL_RESOURCE_ATTRIBUTES"))
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	set := func(key, value string) {
		if !slices.ContainsFunc(pairs, func(p pair) bool { return p.key == key }) && value != "" {
			pairs = append(pairs, pair{key, value})
		}
	}
	if name := s.Getenv("OTEL_SERVICE_NAME"); name != "" { // it wins
		pairs = slices.DeleteFunc(pairs, func(p pair) bool { return p.key == "service.name" })
		set("service.name", name)
	}
	host, _ := os.Hostname() // without, it is not told
	set("service.name", "passenger-proxy")
	set("service.version", s.Release)
	set("host.name", host)
	set("telemetry.sdk.name", "passenger")
	set("telemetry.sdk.language", "go")
	set("telemetry.sdk.version", s.Release)
	b, start := open(nil, 1)
	for _, p := range pairs {
		b = appendString(b, 1, p.key, p.value, mostPath)
	}
	return closeMessage(b, start), nil
}

func scopeOf(release string) []byte {
	b, start := open(nil, 1)
	b = appendText(b, 1, []byte("passenger"), mostText)
	return closeMessage(appendText(b, 2, []byte(release), mostText), start)
}

// client makes the client of HTTP. It follows no redirect: another place is another
// setting.
func (s Settings) client() (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = 1
	transport.MaxResponseHeaderBytes = mostAnswer
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if path := s.traces("CERTIFICATE"); path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %q has no certificate", path)
		}
	}
	if path := s.traces("CLIENT_CERTIFICATE"); path != "" {
		own, err := tls.LoadX509KeyPair(path, s.traces("CLIENT_KEY"))
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: %w", err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	transport.TLSClientConfig = config
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}
