package main

import "fmt"

const (
	crowd = 10000 // connections
	pairs = 1000  // connections of which each has one to the upstream
)

// proxyRows are those of the proxy alone, before an upstream that costs
// nothing.
func proxyRows() []row {
	return []row{
		{
			name: "proxy", title: "CPU of the proxy per request, unix socket upstream",
			unit: "µs", format: "%.1f", less: true, want: hello, value: microsecondsPerRequest, upstream: nginxHello,
			contestants: []contestant{
				{name: "HAProxy, 1 thread", start: haproxy, programs: []string{"haproxy"}, target: 0.95},
				{name: nginx1, start: nginxProxy, programs: []string{"nginx"}, target: 0.95},
				{name: floor, start: relayProxy},
				{name: "passenger-proxy, the same again", start: ourProxy, programs: ours1, control: true},
				{name: "passenger-proxy", start: ourProxy, programs: ours1},
			},
		},
		{
			name: "browser", title: "The same with a browser's 15 headers and a page of 10 kB",
			unit: "µs", format: "%.1f", less: true, want: hello, path: "/page", headers: browserHeaders,
			value: microsecondsPerRequest, upstream: nginxHello,
			contestants: beside(nginxUnbuffered, 1.0),
		},
		{
			name: "http2", title: fmt.Sprintf("CPU of the proxy per request over HTTP/2 and TLS, %d connections, %d requests at once on each", http2Connections, http2Streams),
			unit: "µs", format: "%.1f", less: true, want: hello, traffic: http2Load, value: microsecondsPerRequest, upstream: nginxHello,
			contestants: []contestant{
				{name: nginx1, start: nginxHTTP2, secure: true, programs: []string{"nginx"}, target: 1.0},
				{name: "passenger-proxy", start: ourProxyTLS, secure: true, programs: ours1},
			},
		},
		{
			name: "download", title: "1 GB down through the proxy",
			unit: "MB/s", format: "%.0f", want: hello, traffic: download, value: megabytesPerSecond, upstream: bulkUpstream,
			contestants: []contestant{
				{name: nginx1, start: nginxUnbuffered, programs: []string{"nginx"}, target: 1, cpuTarget: 0.8},
				{name: "passenger-proxy", start: ourProxy, programs: ours1},
			},
		},
		{
			name: "upload", title: "1 GB up through the proxy",
			unit: "MB/s", format: "%.0f", want: hello, traffic: upload, value: megabytesPerSecond, upstream: bulkUpstream,
			contestants: []contestant{
				{name: nginx1, start: nginxUnbuffered, programs: []string{"nginx"}, target: 1, cpuTarget: 0.8},
				{name: "passenger-proxy", start: ourProxy, programs: ours1},
			},
		},
		{
			name: "latency", title: "99th percentile at half of what the slower one can",
			unit: "ms", format: "%.2f", less: true, want: hello, pacing: paced, value: p99Milliseconds, upstream: nginxHello, remark: remarkLateness,
			contestants: []contestant{
				{name: nginx1, start: nginxProxy, programs: []string{"nginx"}, target: 1.2},
				{name: "passenger-proxy, the same again", start: ourProxy, programs: ours1, control: true},
				{name: "passenger-proxy", start: ourProxy, programs: ours1},
			},
		},
		{
			name: "access-log", title: "CPU of the proxy per request with an access log, common",
			unit: "µs", format: "%.2f", less: true, want: hello, value: microsecondsPerRequest, upstream: nginxHello,
			contestants: withLog("common", 1.03),
		},
		{
			name: "access-log-json", title: "CPU of the proxy per request with an access log, JSON",
			unit: "µs", format: "%.2f", less: true, want: hello, value: microsecondsPerRequest, upstream: nginxHello,
			contestants: withLog("json", 1.06),
		},
		{
			name: "idle", title: fmt.Sprintf("Memory of an idle keep-alive connection, of %d", crowd),
			unit: "KB", format: "%.2f", less: true, idle: true, want: hello, limit: 2, rounds: crowdRounds, upstream: nginxHello,
			contestants: []contestant{
				{name: "nginx, 1 worker", start: nginxCrowd, look: memoryOf(idleConnection, "nginx")},
				{name: "passenger-proxy", start: ourProxy, look: memoryOf(idleConnection, ours1...)},
			},
		},
		{
			name: "idle-tls", title: fmt.Sprintf("Memory of an idle keep-alive connection over TLS, of %d", pairs),
			unit: "KB", format: "%.2f", less: true, idle: true, want: hello, limit: 8, rounds: crowdRounds, upstream: nginxHello,
			contestants: []contestant{
				{name: "nginx, 1 worker", start: nginxHTTP2, secure: true, look: memoryOfSome(pairs, overTLS(idleConnection), "nginx")},
				{name: "passenger-proxy", start: ourProxyTLS, secure: true, look: memoryOfSome(pairs, overTLS(idleConnection), ours1...)},
			},
		},
		{
			name: "slow", title: fmt.Sprintf("Memory of a client that sends its head byte by byte, of %d", crowd),
			unit: "KB", format: "%.2f", less: true, idle: true, want: hello, limit: 4, rounds: crowdRounds, upstream: nginxHello,
			contestants: []contestant{
				{name: "nginx, 1 worker", start: nginxCrowd, look: memoryOf(slowHead, "nginx")},
				{name: "passenger-proxy", start: ourProxy, look: memoryOf(slowHead, ours1...)},
			},
		},
		{
			name: "websockets", title: fmt.Sprintf("Memory of a WebSocket on which nothing comes, of %d", pairs),
			unit: "KB", format: "%.2f", less: true, idle: true, want: hello, limit: 12, rounds: crowdRounds, upstream: bulkUpstream,
			contestants: []contestant{
				{name: "nginx, 1 worker", start: nginxCrowd, look: memoryOfSome(pairs, webSocket, "nginx")},
				{name: "passenger-proxy", start: ourProxy, look: memoryOfSome(pairs, webSocket, ours1...)},
			},
		},
		{
			name: "uploads", title: fmt.Sprintf("Memory of a client that sends its body slowly, of %d", pairs),
			unit: "KB", format: "%.2f", less: true, idle: true, want: hello, limit: 16, rounds: crowdRounds, upstream: bulkUpstream,
			contestants: []contestant{
				{name: "nginx, 1 worker", start: nginxCrowd, look: memoryOfSome(pairs, slowUpload, "nginx")},
				{name: "passenger-proxy", start: ourProxy, look: memoryOfSome(pairs, slowUpload, ours1...)},
			},
		},
		{
			name: "apps", title: "CPU of the proxy per request, by apps in the route table",
			unit: "µs", format: "%.1f", less: true, want: hello, headers: []string{"Host: app-0.example.com"},
			value: microsecondsPerRequest, upstream: nginxHello,
			contestants: []contestant{
				{name: "passenger-proxy, 1 app", start: ourProxyOf(1), programs: ours1, target: 1.1},
				{name: "passenger-proxy, 10 apps", start: ourProxyOf(10), programs: ours1},
				{name: "passenger-proxy, 100 apps", start: ourProxyOf(100), programs: ours1},
				{name: "passenger-proxy, 1,000 apps", start: ourProxyOf(1000), programs: ours1},
			},
		},
		{
			name: "connections", title: "CPU of the proxy per request, by connections open beside 64 that ask",
			unit: "µs", format: "%.1f", less: true, want: hello, value: microsecondsPerRequest, upstream: nginxHello,
			contestants: []contestant{
				{name: "passenger-proxy, none", start: ourProxy, programs: ours1, target: 1.1},
				{name: "passenger-proxy, 100", start: ourProxy, programs: ours1, crowd: 100},
				{name: "passenger-proxy, 1,000", start: ourProxy, programs: ours1, crowd: 1000},
				{name: "passenger-proxy, 10,000", start: ourProxy, programs: ours1, crowd: crowd},
			},
		},
		{
			name: "busy", title: "CPU of the proxy per request, 1,000 connections that ask",
			unit: "µs", format: "%.1f", less: true, want: hello, value: microsecondsPerRequest, upstream: nginxHello,
			contestants: []contestant{
				{name: nginx1, start: nginxProxy, programs: []string{"nginx"}, connections: 1000, target: 1.1},
				{name: "passenger-proxy", start: ourProxy, programs: ours1, connections: 1000},
			},
		},
	}
}

// nginx1 is how nginx runs beside our proxy.
const nginx1 = "nginx, 1 worker, keep-alive upstream"

// crowdRounds are those of memory, which differs little from one to the next.
const crowdRounds = 2

// ours1 is the program that counts of ours.
var ours1 = []string{"passenger-proxy"}

// withLog is our proxy without a log, and with one, twice.
func withLog(format string, target float64) []contestant {
	logs := ourProxyWith("--access-log="+format, "--access-log-file=access.log")
	return []contestant{
		{name: "passenger-proxy, no log", start: ourProxy, programs: ours1, target: target},
		{name: "passenger-proxy, " + format + ", the same again", start: logs, programs: ours1, control: true},
		{name: "passenger-proxy, " + format, start: logs, programs: ours1},
	}
}

// beside is nginx and our proxy.
func beside(nginx func(*lab, site) (command, error), target float64) []contestant {
	return []contestant{
		{name: nginx1, start: nginx, programs: []string{"nginx"}, target: target},
		{name: "passenger-proxy", start: ourProxy, programs: ours1},
	}
}

// browserHeaders are what Firefox sends besides Host, and cookies.
var browserHeaders = []string{
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/png,image/svg+xml,*/*;q=0.8",
	"Accept-Language: de,en-US;q=0.7,en;q=0.3",
	"Accept-Encoding: gzip, deflate, br, zstd",
	"Referer: https://www.example.com/articles?page=3",
	"DNT: 1",
	"Sec-GPC: 1",
	"Cookie: _session=dGhpcyBpcyBub3QgYSByZWFsIHNlc3Npb24gY29va2llIGJ1dCBhcyBsb25nIGFzIG9uZQ%3D%3D; theme=dark; _ga=GA1.1.1234567890.1234567890",
	"Upgrade-Insecure-Requests: 1",
	"Sec-Fetch-Dest: document",
	"Sec-Fetch-Mode: navigate",
	"Sec-Fetch-Site: same-origin",
	"Sec-Fetch-User: ?1",
	"Priority: u=0, i",
	"Cache-Control: max-age=0",
}

func megabytesPerSecond(s sample) float64 { return s.perSecond * bulk / 1e6 }
func p99Milliseconds(s sample) float64    { return float64(s.p99.Microseconds()) / 1e3 }
