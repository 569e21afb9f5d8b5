package adapter

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"passenger/lib/protocol"

	"github.com/google/go-cmp/cmp"
)

func nodeSpec(t *testing.T, file, content string) Spec {
	t.Helper()
	need(t, "node")
	return Spec{Type: protocol.TypeNode, AppRoot: writeApp(t, map[string]string{file: content}), StartupFile: file}
}

// get returns the body of GET path, and fails the test without one.
func (p *process) get(t *testing.T, path string) string {
	t.Helper()
	body, err := p.tryGet(path)
	if err != nil {
		t.Fatalf("GET %s: %v\noutput:\n%s", path, err, p.output)
	}
	return body
}

func (p *process) tryGet(path string) (string, error) {
	c := p.client()
	defer c.CloseIdleConnections() // Hypercorn waits for them when it is to stop
	resp, err := c.Get("http://app" + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestNodeServerLandsOnOurSocket(t *testing.T) {
	t.Parallel()
	const hello = "(request, response) => response.end('hello from ' + request.socket.remoteAddress)"
	tests := []struct{ name, file, program, address string }{
		{"port", "app.js", `
const server = require('http').createServer(` + hello + `);
server.listen(3000, () => console.log('at', JSON.stringify(server.address()), server.listening));`,
			`{"address":"::","family":"IPv6","port":3000} true`},
		{"port as text and host", "app.js", `
const server = require('http').createServer(` + hello + `).listen('3000', 'localhost', 511, () =>
  console.log('at', JSON.stringify(server.address()), server.listening));`,
			`{"address":"127.0.0.1","family":"IPv4","port":3000} true`},
		{"options in an ES module with top-level await", "app.mjs", `
import { createServer } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { once } from 'node:events';
await setTimeout(10);
const server = createServer();
server.on('request', ` + hello + `);
server.listen({ port: 80, host: '0.0.0.0' });
await once(server, 'listening');
console.log('at', JSON.stringify(server.address()), server.listening);`,
			`{"address":"0.0.0.0","family":"IPv4","port":80} true`},
		{"path", "app.js", `
const server = require('http').createServer(` + hello + `);
server.listen('/nowhere/app.sock', () => console.log('at', JSON.stringify(server.address()), server.listening));`,
			`"/nowhere/app.sock" true`},
		{"https", "app.js", `
const server = require('https').createServer({}, ` + hello + `);
server.listen(443, () => console.log('at', JSON.stringify(server.address()), server.listening));`,
			`{"address":"::","family":"IPv6","port":443} true`},
		{"http2 over TLS", "app.js", `
const server = require('http2').createSecureServer({ allowHTTP1: true }, ` + hello + `);
server.listen(443, () => console.log('at', JSON.stringify(server.address()), server.listening));`,
			`{"address":"::","family":"IPv6","port":443} true`},
		{"http2 over TLS alone", "app.js", `
const server = require('http2').createSecureServer({}, ` + hello + `);
server.listen(443, () => console.log('at', JSON.stringify(server.address()), server.listening));`,
			`{"address":"::","family":"IPv6","port":443} true`},
		{"http2", "app.js", `
const server = require('http2').createServer(` + hello + `);
server.listen(80, () => console.log('at', JSON.stringify(server.address()), server.listening));`,
			`{"address":"::","family":"IPv6","port":80} true`},
		{"net", "app.js", `
const server = require('net').createServer((socket) => socket.once('data', () =>
  socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 20\r\n\r\nhello from 127.0.0.1')));
server.listen(() => console.log('at', JSON.stringify(server.address()), server.listening));`,
			`{"address":"::","family":"IPv6","port":0} true`},
		{"passenger by name", "app.js", `
PhusionPassenger.configure({ autoInstall: false });
const http = require('http');
const server = http.createServer(` + hello + `);
http.createServer().listen(0, '127.0.0.1', function () {
  this.close();
  server.listen('passenger', () => console.log('at', JSON.stringify(server.address()), server.listening));
});`,
			`"passenger" true`},
		{"after a search for a free port", "app.js", `
const probe = require('net').createServer();
probe.listen(0, '127.0.0.1', () => {
  const { port } = probe.address();
  probe.close(() => {
    const server = require('http').createServer(` + hello + `);
    server.listen(port, '::1', () => console.log('at', port > 0 && server.address().port === port, server.listening));
  });
});`,
			`true true`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.name == "http2 over TLS" && nodeMajor(t) < 20 {
				t.Skip("before Node.js 20 an http2 server does not let go of kept-alive connections")
			}
			p := startReady(t, nodeSpec(t, test.file, test.program))
			if got, want := p.get(t, "/"), "hello from 127.0.0.1"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			p.awaitOutput(t, "\n") // it may listen before it says so
			if want := "at " + test.address + "\n"; p.output.String() != want {
				t.Errorf("got output %q, want %q", p.output, want)
			}
			p.signal(t, syscall.SIGTERM)
			if got := p.wait(t); got != 0 {
				t.Errorf("got exit status %d, want 0", got)
			}
		})
	}
}

func TestNodeLaterServersListenWhereTheySay(t *testing.T) {
	t.Parallel()
	p := startReady(t, nodeSpec(t, "app.js", `
const http = require('http');
http.createServer((request, response) => response.end(String(other.address().port))).listen(3000);
const other = http.createServer((request, response) => response.end('other')).listen(0, '127.0.0.1');`))
	resp, err := http.Get("http://127.0.0.1:" + p.get(t, "/"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "other" {
		t.Errorf("got %q, want other", body)
	}
}

func TestNodeFinishesRequestsOnSIGTERM(t *testing.T) {
	t.Parallel()
	const slow = `
const server = require('http').createServer((request, response) => {
  if (request.url === '/idle') return response.end('idle');
  if (request.url === '/events') {
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
    setInterval(() => response.write('data: tick\n\n'), 1);
    return;
  }
  response.write('begun ');
  setTimeout(() => response.end('done'), 300);
});
server.on('upgrade', (request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  socket.pipe(socket);
});
server.listen(3000);
setInterval(() => {}, 1000);
`
	for name, test := range map[string]struct {
		more   string
		status int
		output string
	}{
		"by itself":        {"", 0, ""},
		"through the app":  {"process.on('SIGTERM', () => server.close((error) => { console.log('closed', error); process.exit(3) }))", 3, "closed undefined\n"},
		"with exit event":  {"PhusionPassenger.on('exit', () => { console.log('exit event'); process.exit(4) })", 4, "exit event\n"},
		"with a spectator": {"process.__signal_exit_emitter__ = { count: 1 }; process.on('SIGTERM', () => console.log('seen'))", 0, "seen\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startReady(t, nodeSpec(t, "app.js", slow+test.more))
			idle, busy, fresh, upgraded, events := p.dial(t), p.dial(t), p.dial(t), p.dial(t), p.dial(t)
			if got := idle.exchange(t, "/idle", ""); got.body != "idle" || got.Header.Get("Keep-Alive") != "" {
				t.Errorf("got %q with %v", got.body, got.Header)
			}
			upgraded.exchange(t, "/", "Connection: Upgrade\r\nUpgrade: echo\r\n")
			io.WriteString(events, "GET /events HTTP/1.1\r\nHost: app\r\n\r\n")
			if line, err := events.r.Peek(1); err != nil {
				t.Fatalf("%q, %v", line, err)
			}
			io.WriteString(busy, "GET /busy HTTP/1.1\r\nHost: app\r\n\r\n")
			if line, err := busy.r.Peek(1); err != nil {
				t.Fatalf("%q, %v", line, err)
			}
			p.signal(t, syscall.SIGTERM)
			idle.closed(t)
			fresh.closed(t)
			upgraded.closed(t)
			upgraded.Close()
			if got := busy.receive(t, "GET"); got.body != "begun done" || got.err != nil {
				t.Errorf("got %q, %v; want the whole response", got.body, got.err)
			}
			if got := events.receive(t, "GET"); got.err != nil || !strings.HasPrefix(got.body, "data: tick") {
				t.Errorf("got %.20q, %v; want events, and the end of the response", got.body, got.err)
			}
			if got := p.wait(t); got != test.status {
				t.Errorf("got exit status %d, want %d", got, test.status)
			}
			if p.output.String() != test.output {
				t.Errorf("got output %q, want %q", p.output, test.output)
			}
		})
	}
}

// exchange sends a GET over HTTP and reads the response.
func (s *session) exchange(t *testing.T, path, fields string) response {
	t.Helper()
	io.WriteString(s, "GET "+path+" HTTP/1.1\r\nHost: app\r\n"+fields+"\r\n")
	if fields != "" {
		resp, err := http.ReadResponse(s.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		return response{Response: resp}
	}
	return s.receive(t, "GET")
}

func TestNodeKeepsIdleConnections(t *testing.T) {
	t.Parallel()
	// Node asks every connectionsCheckingInterval; its own limit of 5 s would
	// be far too long for a test.
	p := startReady(t, nodeSpec(t, "app.js", `
const server = require('http').createServer({ keepAliveTimeout: 50 }, (request, response) => response.end('hello'));
server.listen(3000);`))
	s := p.dial(t)
	s.exchange(t, "/", "")
	s.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := s.r.Peek(1); !os.IsTimeout(err) {
		t.Errorf("got %v, want a connection that stays open", err)
	}
}

func TestNodeLeavesNothingOfTheContractToTheApplication(t *testing.T) {
	t.Parallel()
	p := startReady(t, nodeSpec(t, "app.js", `
const { execFileSync, fork } = require('child_process');
const { Worker } = require('worker_threads');
if (process.argv[2] === 'child') {
  process.send({ passenger: typeof PhusionPassenger, main: require.main === module });
} else {
  const names = Object.keys(process.env).filter((name) => /^(LISTEN|NOTIFY|PASSENGER_NOTIFY)/.test(name));
  const inherited = execFileSync('ls', ['-l', '/proc/self/fd/'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const sockets = inherited.split('\n').filter((line) => / [34] -> socket:/.test(line)).length;
  fork(__filename, ['child']).on('message', (child) => {
    require('http').createServer((request, response) =>
      response.end(JSON.stringify({ names, sockets, child, main: require.main === module }))).listen(3000);
  });
}`))
	if got, want := p.get(t, "/"), `{"names":[],"sockets":0,"child":{"passenger":"undefined","main":true},"main":true}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNodeSaysWhyItCannotLoad(t *testing.T) {
	t.Parallel()
	type report struct{ Category, Summary string }
	tests := []struct {
		file, content string
		want          report
		output        string
	}{
		{"app.js", "require('nothing-of-the-kind')",
			report{"dependency", `the module "nothing-of-the-kind" is missing (wanted by app.js)`}, "MODULE_NOT_FOUND"},
		{"app.mjs", "import 'nothing-of-the-kind'",
			report{"dependency", `the module "nothing-of-the-kind" is missing (wanted by app.mjs)`}, "ERR_MODULE_NOT_FOUND"},
		{"app.mjs", "import '/etc/ld.so.conf'",
			report{"config", `Unknown file extension ".conf" for /etc/ld.so.conf`}, "ERR_UNKNOWN_FILE_EXTENSION"},
		{"app.js", "\nconst x = ;",
			report{"syntax", "syntax error in app.js, line 2: Unexpected token ';'"}, "SyntaxError"},
		{"app.mjs", "\nconst x = ;",
			report{"syntax", "syntax error in app.mjs, line 2: Unexpected token ';'"}, "SyntaxError"},
		{"app.js", "\nthrow new TypeError('no SECRET_KEY')",
			report{"app", "TypeError: no SECRET_KEY while the application was loading (app.js:2)"}, "TypeError"},
		{"app.mjs", "await Promise.reject(new Error('no database'))",
			report{"app", "Error: no database while the application was loading (app.mjs:1)"}, "no database"},
		{"app.js", "JSON.parse('{')",
			report{"app", "SyntaxError: Expected property name or '}' in JSON at position 1 while the application was loading (app.js:1)"}, "SyntaxError"},
		{"app.js", "require('http').createServer().listen(3000, () => { throw new Error('at the last moment') })",
			report{"app", "Error: at the last moment while the application was loading (app.js:1)"}, "at the last moment"},
		{"app.js", "require('http2').createServer().on('stream', () => {}).listen(3000)",
			report{"config", "the server takes streams of HTTP/2 only, and the proxy speaks HTTP/1.1 to applications"}, "streams of HTTP/2"},
	}
	for _, test := range tests {
		p := start(t, nodeSpec(t, test.file, test.content))
		notice := p.notice(t)
		text, ok := strings.CutPrefix(notice, "X_PASSENGER_ERROR=")
		var got struct{ report }
		if err := json.Unmarshal([]byte(text), &got.report); !ok || err != nil {
			t.Errorf("%q: got notice %q, %v", test.content, notice, err)
		}
		// The words about JSON differ between versions of Node.
		got.Summary = strings.ReplaceAll(got.Summary, " (line 1 column 2)", "")
		got.Summary = strings.ReplaceAll(got.Summary, "Unexpected end of JSON input", "Expected property name or '}' in JSON at position 1")
		if diff := cmp.Diff(test.want, got.report); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.content, diff)
		}
		if status := p.wait(t); status != 1 {
			t.Errorf("%q: got exit status %d, want 1", test.content, status)
		}
		if !strings.Contains(p.output.String(), test.output) {
			t.Errorf("%q: output lacks %q:\n%s", test.content, test.output, p.output)
		}
	}
}

func TestNodeApplications(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"node", "esm", "express"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			need(t, "node")
			root := testApp(t, name)
			if name == "express" {
				needModules(t, root)
			}
			p := startReady(t, Spec{Type: protocol.TypeNode, AppRoot: root})
			checkSite(t, p, name)
			if name != "express" {
				checkUpgrade(t, p)
			}
		})
	}
}

// needModules skips the test if npm did not install root's dependencies.
func needModules(t *testing.T, root string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, "node_modules")); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf(`run "npm ci" in %s`, root)
	}
	t.Skipf(`run "npm ci" in %s`, root)
}

// checkSite checks the pages that every application in testscripts/apps has.
func checkSite(t *testing.T, p *process, name string) {
	t.Helper()
	client := p.client()
	big := strings.Repeat("0123456789", 500_000)
	for _, test := range []struct {
		method, path, cookie, body string
		status                     int
		want                       string
	}{
		{"GET", "/", "", "", 200, ""},
		{"HEAD", "/", "", "", 200, ""},
		{"POST", "/form", "", "name=J%C3%BCrgen", 200, "name=Jürgen"},
		{"POST", "/upload", "", big, 200, fmt.Sprintf("%x", sha256.Sum256([]byte(big)))},
		{"GET", "/redirect", "", "", 302, ""},
		{"GET", "/cookie", "", "", 200, "seen=none"},
		{"GET", "/cookie", "seen=yes", "", 200, "seen=yes"},
		{"GET", "/query?q=%E6%97%A5+%E4", "", "", 200, "q=\xe6\x97\xa5 \xe4"},
		{"GET", "/sleep?seconds=0.01", "", "", 200, "slept 0.01"},
		{"GET", "/pid", "", "", 200, fmt.Sprint(p.cmd.Process.Pid)},
		{"GET", "/nowhere", "", "", 404, ""},
		{"GET", "/error", "", "", 500, ""},
		{"GET", "/stream", "", "", 200, ""},
	} {
		r, err := http.NewRequest(test.method, "http://app"+test.path, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if test.cookie != "" {
			r.Header.Set("Cookie", test.cookie)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s %s: %v", test.method, test.path, err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != test.status || test.want != "" && string(body) != test.want {
			t.Errorf("%s %s: got %d %.200q, %v; want %d %q", test.method, test.path, resp.StatusCode, body, err, test.status, test.want)
		}
		switch {
		case test.method == "HEAD" && len(body) > 0:
			t.Errorf("HEAD: got body %q", body)
		case test.method == "GET" && test.path == "/" && !strings.Contains(string(body), "Hello from "+name):
			t.Errorf("got page %q", body)
		case test.path == "/stream" && fmt.Sprintf("%x", sha256.Sum256(body)) != streamed:
			t.Errorf("/stream: got %d bytes, not the right ones", len(body))
		}
	}
	p.awaitOutput(t, "deliberate failure")
}

func checkUpgrade(t *testing.T, p *process) {
	t.Helper()
	conn, err := net.Dial("unix", p.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(bound))
	io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhel")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatalf("got %v, %v; want 101", resp, err)
	}
	io.WriteString(conn, "lo")
	got := make([]byte, 5)
	if _, err := io.ReadFull(r, got); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v; want hello", got, err)
	}
}

// nodeMajor is the first number of Node.js's version.
func nodeMajor(t *testing.T) int {
	t.Helper()
	out, err := exec.Command("node", "-p", "process.versions.node.split('.')[0]").Output()
	if err != nil {
		t.Fatal(err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return major
}
