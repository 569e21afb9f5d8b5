package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// debianPath is where the peers lie, so that none is taken from elsewhere.
const debianPath = "/usr/sbin:/usr/bin:/sbin:/bin"

// passenger6 is Passenger's own agent without nginx, which is its fastest.
func passenger6(app string, processes int) func(*lab, site) (command, error) {
	n := strconv.Itoa(processes)
	return func(l *lab, s site) (command, error) {
		return command{args: []string{
			"/usr/bin/passenger", "start", l.app(app), "--engine", "builtin", "--address", "127.0.0.1", "--port", s.port,
			"--environment", "production", "--max-pool-size", n, "--min-instances", n, "--python", "/usr/bin/python3",
			"--disable-anonymous-telemetry", "--disable-security-update-check", "--no-friendly-error-pages",
			"--instance-registry-dir", s.dir,
			"--pid-file", filepath.Join(s.dir, "pid"), "--log-file", filepath.Join(s.dir, "passenger.log"),
		}}, nil
	}
}

func puma(app string, workers int, threads string, options ...string) func(*lab, site) (command, error) {
	return func(l *lab, s site) (command, error) {
		args := []string{
			"/usr/bin/puma", "--quiet", "--environment", "production", "--workers", strconv.Itoa(workers), "--threads", threads,
			"--bind", "tcp://127.0.0.1:" + s.port, "--no-config",
		}
		return command{dir: l.app(app), args: append(append(args, options...), "config.ru")}, nil
	}
}

// nginxPuma is Puma whose workers take one request at a time, behind nginx.
func nginxPuma(app string, workers int) func(*lab, site) (command, error) {
	return nginxAnd(app, func(socket string) string {
		return fmt.Sprintf("/usr/bin/puma --quiet --environment production --workers %d --threads 1:1 --bind unix://%s --no-config config.ru", workers, socket)
	})
}

// nginxGunicorn is the same of Gunicorn.
func nginxGunicorn(app string, workers int) func(*lab, site) (command, error) {
	return nginxAnd(app, func(socket string) string {
		return fmt.Sprintf("/usr/bin/gunicorn --workers %d --worker-tmp-dir /dev/shm --bind unix:%s passenger_wsgi:application", workers, socket)
	})
}

// nginxAnd is nginx before a server that serves the app on a unix socket.
func nginxAnd(app string, serve func(socket string) string) func(*lab, site) (command, error) {
	return func(l *lab, s site) (command, error) {
		socket := filepath.Join(s.dir, "app.sock")
		before, err := nginx(s.dir, fmt.Sprintf(`
	server {
		listen 127.0.0.1:%s;
		location / { proxy_set_header Host $host; proxy_pass http://unix:%s; }
	}`, s.port, socket))
		if err != nil {
			return before, err
		}
		return command{dir: l.app(app), args: append([]string{"/bin/sh", "-c", serve(socket) + ` & exec "$@"`, "sh"}, before.args...)}, nil
	}
}

// gunicorn closes every connection if its workers are sync: those know no
// keep-alive.
func gunicorn(workers int, options ...string) func(*lab, site) (command, error) {
	return func(l *lab, s site) (command, error) {
		args := []string{
			"/usr/bin/gunicorn", "--workers", strconv.Itoa(workers), "--worker-tmp-dir", "/dev/shm", "--bind", "127.0.0.1:" + s.port,
		}
		return command{dir: l.app("wsgi"), args: append(append(args, options...), "passenger_wsgi:application")}, nil
	}
}

func uvicorn(workers int) func(*lab, site) (command, error) {
	return func(l *lab, s site) (command, error) {
		return command{dir: l.app("asgi"), args: []string{
			"/usr/bin/python3", "-m", "uvicorn", "--workers", strconv.Itoa(workers), "--host", "127.0.0.1", "--port", s.port,
			"--no-access-log", "--log-level", "warning", "passenger_asgi:application",
		}}, nil
	}
}

// uwsgi closes every connection too, and has to be told to say so.
func uwsgi(processes int) func(*lab, site) (command, error) {
	return func(l *lab, s site) (command, error) {
		return command{dir: l.app("wsgi"), args: []string{
			"/usr/bin/uwsgi", "--plugin", "python3", "--http-socket", "127.0.0.1:" + s.port, "--master", "--die-on-term",
			"--processes", strconv.Itoa(processes), "--wsgi-file", "passenger_wsgi.py", "--disable-logging",
			"--add-header", "Connection: close",
		}}, nil
	}
}

func bareNode(l *lab, s site) (command, error) {
	return command{dir: l.app("node"), args: []string{"/usr/bin/node", "app.js"}, env: []string{"PORT=" + s.port}}, nil
}

// nginxHello is the upstream that nginx and passenger-proxy are measured with:
// hello, /page, which is larger, and /kept, which may be.
func nginxHello(dir string) (command, error) {
	if err := os.WriteFile(filepath.Join(dir, "page"), bytes.Repeat([]byte("<p>hello world\n"), 10<<10/15), 0o600); err != nil {
		return command{}, err
	}
	return nginx(dir, fmt.Sprintf(`
	server {
		listen unix:%[1]s/upstream.sock;
		default_type text/html;
		location = /page { root %[1]s; }
		location = /kept { add_header Cache-Control max-age=600; return 200 "hello world\n"; }
		location / { return 200 "hello world\n"; }
	}`, dir))
}

// haproxy runs one thread, as nginx runs one worker.
func haproxy(_ *lab, s site) (command, error) {
	config := fmt.Sprintf(`
global
	nbthread 1
	maxconn 9000
defaults
	mode http
	timeout connect 5s
	timeout client 60s
	timeout server 60s
frontend web
	bind 127.0.0.1:%s
	default_backend hello
backend hello
	http-reuse always
	server upstream unix@%s/upstream.sock
`, s.port, s.upstream)
	path := filepath.Join(s.dir, "haproxy.cfg")
	return command{args: []string{"/usr/sbin/haproxy", "-db", "-f", path}}, os.WriteFile(path, []byte(config), 0o600)
}

func nginxProxy(_ *lab, s site) (command, error) { return nginxBefore(s, "") }

// nginxUnbuffered passes bodies on as they come.
func nginxUnbuffered(_ *lab, s site) (command, error) {
	return nginxBefore(s, "client_max_body_size 0; proxy_buffering off; proxy_request_buffering off;")
}

// nginxCrowd has room for many connections.
func nginxCrowd(_ *lab, s site) (command, error) {
	c, err := nginxBefore(s, "keepalive_timeout 1h; client_header_timeout 1h;")
	if err != nil {
		return c, err
	}
	path := filepath.Join(s.dir, "nginx.conf")
	config, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	more := strings.NewReplacer(
		"worker_connections 9000", fmt.Sprintf("worker_connections %d", 2*crowd+1000),
		`proxy_set_header Connection "";`, "proxy_set_header Connection $http_connection; proxy_set_header Upgrade $http_upgrade; proxy_read_timeout 1h;",
	).Replace(string(config))
	return c, os.WriteFile(path, []byte(more), 0o600)
}

func nginxBefore(s site, settings string) (command, error) {
	return nginxListening(s, settings, "")
}

// nginxListening is that with options of what it listens on.
func nginxListening(s site, settings, options string) (command, error) {
	return nginx(s.dir, fmt.Sprintf(`
	%s
	upstream hello {
		server unix:%s/upstream.sock;
		keepalive 1024;
		keepalive_requests 1000000000;
	}
	server {
		listen 127.0.0.1:%s%s;
		location / {
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $host;
			proxy_pass http://hello;
		}
	}`, settings, s.upstream, s.port, options))
}

// nginx runs one worker without logs, with connections that last.
func nginx(dir, http string) (command, error) {
	config := fmt.Sprintf(`
worker_processes 1;
daemon off;
user root;
pid %[1]s/pid;
error_log %[1]s/error.log;
events { worker_connections 9000; }
http {
	access_log off;
	keepalive_requests 1000000000;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
%[2]s
}
`, dir, http)
	path := filepath.Join(dir, "nginx.conf")
	return command{args: []string{"/usr/sbin/nginx", "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", path}},
		os.WriteFile(path, []byte(config), 0o600)
}
