package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"passenger/lib/protocol"
)

// staticRows are those of what a server sends by itself.
func staticRows() []row {
	return []row{{
		name: "static", title: "CPU per request for a static file of 10 kB",
		unit: "µs", format: "%.1f", less: true, want: hello, path: "/page.html", value: microsecondsPerRequest, upstream: nginxHello,
		contestants: []contestant{
			{name: "nginx, 1 worker, sendfile", start: nginxStatic, programs: []string{"nginx"}, target: 1.2},
			{name: "passenger-proxy", start: ourStatic, programs: ours1},
		},
	}, {
		name: "cache", title: "CPU per request for hello that the app lets caches keep",
		unit: "µs", format: "%.1f", less: true, want: hello, path: "/kept", value: microsecondsPerRequest, upstream: nginxHello,
		contestants: []contestant{
			{name: "passenger-proxy, asking the app", start: ourProxy, programs: ours1},
			{name: "passenger-proxy, turbocaching", start: ourCache, programs: ours1},
		},
	}}
}

func ourCache(l *lab, s site) (command, error) {
	r := helloRoute("hello", s)
	r.Turbocaching = true
	return proxyWith(l, s, []*protocol.Route{r}, nil)
}

// writePage makes the directory that is served, with page.html in it.
func writePage(s site) (dir string, err error) {
	dir = filepath.Join(s.dir, "public")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "page.html"), bytes.Repeat([]byte("<p>hello world\n"), 10<<10/15), 0o644)
}

func nginxStatic(_ *lab, s site) (command, error) {
	dir, err := writePage(s)
	if err != nil {
		return command{}, err
	}
	return nginx(s.dir, fmt.Sprintf(`
	sendfile on;
	server {
		listen 127.0.0.1:%s;
		default_type text/html;
		root %s;
		location = / { return 200 "hello world\n"; } # that it is ready
	}`, s.port, dir))
}

// ourStatic has an app behind the files, which is never asked.
func ourStatic(l *lab, s site) (command, error) {
	dir, err := writePage(s)
	if err != nil {
		return command{}, err
	}
	r := helloRoute("hello", s)
	r.StaticDir = dir
	return proxyWith(l, s, []*protocol.Route{r}, nil)
}
