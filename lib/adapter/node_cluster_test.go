package adapter

import (
	"fmt"
	"io"
	"syscall"
	"testing"
)

// cluster is an application whose primary starts another worker for each that
// ends, as guides have it.
const cluster = `
const cluster = require('cluster');
if (cluster.isPrimary) {
  cluster.fork();
  cluster.on('exit', () => cluster.fork());
} else {
  const server = require('http').createServer((request, response) => {
    switch (request.url) {
      case '/address': return response.end(JSON.stringify([server.address(), request.socket.remoteAddress]));
      case '/short': response.setHeader('Content-Length', 5); return response.end('hel');
      case '/raw': return request.socket.write(` + rawAnswer + `);
      case '/slow':
        response.write('begun');
        return setTimeout(() => response.end(', finished'), 500);
      default: response.end(String(process.pid));
    }
  });
  server.listen(3000, () => console.log('port', server.address().port));
}`

func TestNodeClusterServesThroughItsPrimary(t *testing.T) {
	t.Parallel()
	p := startReady(t, nodeSpec(t, "app.js", cluster))
	if got := p.get(t, "/"); got == "" || got == fmt.Sprint(p.cmd.Process.Pid) {
		t.Errorf("got %q, want the pid of a worker", got)
	}
	if got, want := p.get(t, "/address"), `[{"address":"::","family":"IPv6","port":3000},"127.0.0.1"]`; got != want {
		t.Errorf("got addresses %s, want %s", got, want)
	}
	p.awaitCount(t, "port 3000", 1)
	if got, err := p.tryGet("/short"); err == nil {
		t.Errorf("got %q for an answer that is not whole, want an error", got)
	}
	s := p.dial(t)
	io.WriteString(s, "GET /raw HTTP/1.1\r\nHost: app\r\n\r\n")
	got := make([]byte, len(hijacked))
	if _, err := io.ReadFull(s.r, got); err != nil || string(got) != hijacked {
		t.Errorf("got %q and error %v, want the connection to be announced", got, err)
	}
}

// The primary ends when its workers have, and not before their requests have.
func TestNodeClusterFinishesRequestsOnSIGTERM(t *testing.T) {
	t.Parallel()
	p := startReady(t, nodeSpec(t, "app.js", cluster))
	s := p.dial(t)
	io.WriteString(s, "GET /slow HTTP/1.1\r\nHost: app\r\n\r\n")
	if _, err := s.r.Peek(1); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := s.receive(t, "GET"); got.err != nil || got.body != "begun, finished" {
		t.Errorf("got %q, %v; want the whole answer", got.body, got.err)
	}
	if status := p.wait(t); status != 0 {
		t.Errorf("got exit status %d, want 0", status)
	}
}

// A process whose socket was closed serves nobody any more: it ends, so that
// another takes its place.
func TestNodeEndsWhenItListensAgain(t *testing.T) {
	t.Parallel()
	for name, program := range map[string]string{
		"closed": `
const server = require('http').createServer((request, response) => {
  response.end('page');
  server.close(() => server.listen(3000));
}).listen(3000);`,
		"the only worker of a cluster died": `
const cluster = require('cluster');
if (cluster.isPrimary) {
  cluster.on('exit', () => cluster.fork());
  cluster.fork();
} else {
  require('http').createServer((request, response) => response.end('page', () => process.exit(1))).listen(3000);
}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startReady(t, nodeSpec(t, "app.js", program))
			s := p.dial(t)
			if got := s.exchange(t, "/", ""); got.body != "page" {
				t.Errorf("got %q, want page", got.body)
			}
			s.Close()
			p.awaitOutput(t, "which takes a new process")
		})
	}
}

// The primary of a cluster may listen on a second port for its workers.
func TestNodeClusterListensTwice(t *testing.T) {
	t.Parallel()
	p := startReady(t, nodeSpec(t, "app.js", `
const cluster = require('cluster');
const http = require('http');
if (cluster.isPrimary) cluster.fork();
else {
  http.createServer((request, response) => response.end('page')).listen(3000, () => {
    http.createServer(() => {}).listen(0, () => console.log('both listen'));
  });
}`))
	p.awaitOutput(t, "both listen")
	if got := p.get(t, "/"); got != "page" {
		t.Errorf("got %q, want page", got)
	}
}

func TestNodeTellsOfASecondServer(t *testing.T) {
	t.Parallel()
	p := startReady(t, nodeSpec(t, "app.js", `
const http = require('http');
http.createServer((request, response) => response.end('metrics')).listen(9464);
http.createServer((request, response) => response.end('page')).listen(0);`))
	p.awaitOutput(t, "a second server listens (port 0); requests go to the first one (port 9464)")
	if got := p.dial(t).exchange(t, "/", ""); got.body != "metrics" {
		t.Errorf("got %q, want that of the first", got.body)
	}
}
