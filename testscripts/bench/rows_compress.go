package main

import "passenger/lib/protocol"

// compressRows are those of answers that are compressed on their way.
func compressRows() []row {
	return []row{{
		name: "gzip", title: "CPU per proxied page of 10 kB, compressed as gzip",
		unit: "µs", format: "%.1f", less: true, want: hello, path: "/page", headers: []string{"Accept-Encoding: gzip"}, value: microsecondsPerRequest, upstream: nginxHello,
		contestants: []contestant{
			{name: "Caddy, GOMAXPROCS=1, encode gzip", start: caddyGzip, programs: []string{"caddy"}},
			{name: "nginx, 1 worker, gzip on", start: nginxGzip, programs: []string{"nginx"}},
			{name: "passenger-proxy", start: ourGzip, programs: ours1},
		},
	}}
}

func nginxGzip(_ *lab, s site) (command, error) {
	return nginxBefore(s, "gzip on; gzip_comp_level 4; gzip_min_length 1024; gzip_http_version 1.0;")
}

func caddyGzip(_ *lab, s site) (command, error) {
	return command{dir: s.dir, env: []string{"GOMAXPROCS=1"}, args: []string{"sh", "-c",
		"printf 'http://127.0.0.1:" + s.port + " {\\nencode gzip\\nreverse_proxy unix/" + s.upstream + "/upstream.sock\\n}\\n' >Caddyfile; exec caddy run"}}, nil
}

func ourGzip(l *lab, s site) (command, error) {
	r := helloRoute("hello", s)
	r.Compression = true
	return proxyWith(l, s, []*protocol.Route{r}, nil)
}
