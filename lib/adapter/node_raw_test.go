package adapter

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const hijacked = "HTTP/1.1 199 Hijacked\r\n\r\n"

const rawAnswer = `'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nraw'`

// Each handler takes the raw connection in its way and writes rawAnswer.
func TestNodeAnnouncesRawConnections(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]string{
		"write":                 `request.socket.write(` + rawAnswer + `)`,
		"buffer":                `request.socket.write(Buffer.from(` + rawAnswer + `))`,
		"connection":            `response.connection.write(` + rawAnswer + `)`,
		"end":                   `request.socket.end(` + rawAnswer + `)`,
		"later":                 `setTimeout(() => request.socket.write(` + rawAnswer + `), 20)`,
		"in two pieces":         `request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n'); request.socket.write('\r\nraw')`,
		"corked":                `request.socket.cork(); request.socket.write(` + rawAnswer + `); request.socket.uncork()`,
		"detached":              `const s = response.socket; response.detachSocket(s); s.write(` + rawAnswer + `)`,
		"pipe":                  `require('stream').Readable.from([Buffer.from(` + rawAnswer + `)]).pipe(request.socket)`,
		"head not sent":         `response.writeHead(200); request.socket.write(` + rawAnswer + `)`,
		"sent to a child":       `child.send('take it', request.socket)`,
		"answers of an upgrade": `request.socket.write(` + rawAnswer + `)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := nodeSpec(t, "app.js", `
const http = require('http');
const child = `+map[bool]string{true: `require('child_process').fork(__dirname + '/child.js')`, false: `null`}[strings.Contains(name, "child")]+`;
const handler = (request, response) => {
  if (request.url === '/plain') return response.end('plain');
  `+handler+`;
};
const server = http.createServer(handler);
if (`+map[bool]string{true: "true", false: "false"}[strings.Contains(name, "upgrade")]+`) server.on('upgrade', handler);
server.listen(3000);`)
			child := []byte(`process.on('message', (_, socket) => socket.write(` + rawAnswer + `))`)
			if err := os.WriteFile(filepath.Join(spec.AppRoot, "child.js"), child, 0o644); err != nil {
				t.Fatal(err)
			}
			s := startReady(t, spec).dial(t)
			if !strings.Contains(name, "upgrade") {
				if got := s.exchange(t, "/plain", ""); got.body != "plain" {
					t.Fatalf("got %q, want plain", got.body)
				}
			}
			io.WriteString(s, "GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n")
			want := hijacked + strings.ReplaceAll(strings.Trim(rawAnswer, "'"), `\r\n`, "\r\n")
			got := make([]byte, len(want))
			if _, err := io.ReadFull(s.r, got); err != nil || string(got) != want {
				t.Errorf("got %q and error %v, want %q", got, err, want)
			}
		})
	}
}

func TestNodeLeavesOrdinaryConnectionsAlone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ program, request, want string }{
		"stream": {`
http.createServer((request, response) => {
  response.write('one ');
  setImmediate(() => { response.write(Buffer.from('two ')); response.end('three'); });
}).listen(3000)`, "GET / HTTP/1.1\r\nHost: app\r\n\r\n", "HTTP/1.1 200 OK\r\n"},
		"upgrade": {`
http.createServer().on('upgrade', (request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
}).listen(3000)`, "GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n"},
		"upgrade by buffer": {`
http.createServer().on('upgrade', (request, socket) => {
  socket.write(Buffer.from('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'));
}).listen(3000)`, "GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n"},
		"upgrade by response": {`
http.createServer((request, response) => {
  response.writeHead(101, { Connection: 'Upgrade', Upgrade: 'echo' });
  response.flushHeaders();
  request.socket.write('hello');
}).listen(3000)`, "GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n"},
		"continue": {`
http.createServer((request, response) => request.resume().on('end', () => response.end('ok'))).listen(3000)`,
			"POST / HTTP/1.1\r\nHost: app\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 100 Continue\r\n"},
		"no HTTP server": {`
require('net').createServer((socket) => socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'))).listen(3000)`,
			"GET / HTTP/1.1\r\nHost: app\r\n\r\n", "HTTP/1.1 200 OK\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startReady(t, nodeSpec(t, "app.js", "const http = require('http');"+test.program)).dial(t)
			io.WriteString(s, test.request)
			if got, err := s.r.ReadString('\n'); err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

// What is written raw behind an answer would be the answer to the next request.
func TestNodeClosesConnectionsWrittenToBehindTheAnswer(t *testing.T) {
	t.Parallel()
	for name, program := range map[string]string{
		"ended": `
response.end('plain');
response.on('finish', () => setImmediate(() => request.socket.write(` + rawAnswer + `)));`,
		"under way": `
response.writeHead(200, { 'Content-Length': 5 });
response.write('pl');
setImmediate(() => { request.socket.write('ain'); response.end('ain'); });`,
		"without a body": `
response.writeHead(304);
response.flushHeaders();
request.socket.write(` + rawAnswer + `);`,
		"under way, and kept": `
response.writeHead(200, { 'Content-Length': 5 });
response.flushHeaders();
request.socket.write('pl');
setImmediate(() => request.socket.write(Buffer.from('ain')));`,
		"under way in chunks, and kept": `
response.write('pl');
request.socket.write('3\r\nain\r\n0\r\n\r\n');`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startReady(t, nodeSpec(t, "app.js", `
require('http').createServer((request, response) => {`+program+`}).listen(3000)`)).dial(t)
			if got := s.exchange(t, "/", ""); got.body != "plain" && got.StatusCode != 304 {
				t.Errorf("got %q, want plain", got.body)
			}
			rest, err := io.ReadAll(s.r)
			if err != nil && !strings.Contains(err.Error(), "reset by peer") || strings.Contains(string(rest), "HTTP") {
				t.Errorf("got %q, %v; want the end of the connection", rest, err)
			}
		})
	}
}

// The next request on a connection that the application reads from would lie in
// its hands.
func TestNodeClosesConnectionsThatTheApplicationReads(t *testing.T) {
	t.Parallel()
	const listen = `request.socket.on('data', (data) => process.stdout.write(data));`
	for name, program := range map[string]string{
		"before the answer":  listen + `response.end('plain');`,
		"behind the head":    `response.write('pl'); ` + listen + `response.end('ain');`,
		"behind the answer":  `response.end('plain'); ` + listen,
		"after the answer":   `response.end('plain'); response.on('finish', () => setImmediate(() => {` + listen + `}));`,
		"by readable":        `response.end('plain'); request.socket.on('readable', () => request.socket.read());`,
		"by another's write": `response.end('plain'); request.socket.pipe(process.stdout);`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startReady(t, nodeSpec(t, "app.js", `
require('http').createServer((request, response) => {`+program+`}).listen(3000)`)).dial(t)
			if got := s.exchange(t, "/", ""); got.body != "plain" {
				t.Errorf("got %q, want plain", got.body)
			}
			if rest, err := io.ReadAll(s.r); err != nil || len(rest) > 0 {
				t.Errorf("got %q, %v; want the end of the connection", rest, err)
			}
		})
	}
}

// A next request on the connection is answered, and the maker of the answer
// before learns that no client listens.
func TestNodeStopsAnswersAtTheirEnd(t *testing.T) {
	t.Parallel()
	p := startReady(t, nodeSpec(t, "app.js", `
require('http').createServer((request, response) => {
  const kind = request.url.split('/').pop();
  if (kind === 'next') return response.end('next');
  const length = { longer: 6, exact: 10, none: 0 }[kind];
  response.writeHead(Number(kind) || 200, length !== undefined ? { 'Content-Length': length } : {});
  response.write('tick\n');
  const ticks = setInterval(() => response.write('tick\n'), 1);
  response.on('close', () => {
    clearInterval(ticks);
    response.write('tick\n');
    console.log('stopped');
    response.end('more');
  });
}).listen(3000)`))
	checkEndless(t, p)
}

func TestNodeKeepsBodiesWithinTheirLength(t *testing.T) {
	t.Parallel()
	p := startReady(t, nodeSpec(t, "app.js", `
require('http').createServer((request, response) => {
  response.setHeader('Content-Length', 5);
  switch (request.url) {
    case '/string': return response.end('hello, world');
    case '/buffer': return response.end(Buffer.from('hello, world'));
    case '/pieces': response.write('hel'); response.write('lo, '); return response.end('world');
    case '/wide': return response.end('h\u00e9llo', 'latin1');
    default: response.setHeader('Content-Length', 6); return response.end('h\u00e9llo');
  }
}).listen(3000)`))
	s := p.dial(t)
	for _, test := range []struct{ uri, want string }{
		{"/string", "hello"}, {"/buffer", "hello"}, {"/pieces", "hello"}, {"/wide", "h\xe9llo"}, {"/utf8", "h\u00e9llo"},
	} {
		io.WriteString(s, "GET "+test.uri+" HTTP/1.1\r\nHost: app\r\n\r\n")
		got := s.receive(t, "GET")
		if got.err != nil || got.body != test.want {
			t.Errorf("%s: got %q, %v; want %q", test.uri, got.body, got.err, test.want)
		}
	}
	p.awaitCount(t, "longer than its Content-Length", 3)
}

// A client is told that an answer will not be whole, and does not wait for it.
func TestNodeClosesConnectionsOfShortAnswers(t *testing.T) {
	t.Parallel()
	p := startReady(t, nodeSpec(t, "app.js", `
const { Readable } = require('stream');
require('http').createServer((request, response) => {
  switch (request.url) {
    case '/head': response.writeHead(200, { 'Content-Length': 5 }); return response.end();
    case '/header': response.setHeader('Content-Length', 5); return response.end();
    case '/end': response.setHeader('Content-Length', 5); return response.end('hel');
    case '/pieces': response.setHeader('Content-Length', '5'); response.write('h'); response.write('el'); return response.end();
    case '/pipe': response.setHeader('Content-Length', 5); return Readable.from(['h', 'el']).pipe(response);
    case '/later': response.writeHead(200, { 'Content-Length': 5 }); response.flushHeaders(); return setTimeout(() => response.end('hel'), 20);
    case '/304': response.writeHead(304, { 'Content-Length': 5 }); return response.end();
    case '/empty': response.setHeader('Content-Length', 0); return response.end();
    default: response.setHeader('Content-Length', 5); return response.end(request.method === 'HEAD' ? '' : 'whole');
  }
}).listen(3000)`))
	for _, uri := range []string{"/head", "/header", "/end", "/pieces", "/pipe", "/later"} {
		s := p.dial(t)
		io.WriteString(s, "GET "+uri+" HTTP/1.1\r\nHost: app\r\n\r\n")
		if got := s.receive(t, "GET"); got.err == nil || !strings.HasPrefix("hel", got.body) {
			t.Errorf("%s: got %q, %v; want what there is, and the end of the connection", uri, got.body, got.err)
		}
	}
	p.awaitCount(t, "shorter than its Content-Length", 6)

	s := p.dial(t)
	for _, request := range []string{"GET /304", "GET /empty", "HEAD /", "GET /"} { // on one connection
		io.WriteString(s, request+" HTTP/1.1\r\nHost: app\r\n\r\n")
		method, _, _ := strings.Cut(request, " ")
		if got := s.receive(t, method); got.err != nil || got.body != "" && got.body != "whole" {
			t.Errorf("%s: got %q, %v; want a whole answer", request, got.body, got.err)
		}
	}
}
