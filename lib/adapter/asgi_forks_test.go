package adapter

import (
	"strings"
	"testing"
)

// A child that an app forks inside a request has no part in the answers of its
// parent: it ends when the app's call does, and tells nobody.
func TestASGIChildrenLeaveTheClientsAlone(t *testing.T) {
	t.Parallel()
	const code = `
import asyncio, os, signal, sys

async def application(scope, receive, send):
    assert scope["type"] == "http"
    await receive()
    kind = scope["path"][1:]
    async def fork():
        return os.fork()

    pid = -1
    if kind == "task":
        pid = await asyncio.create_task(fork())  # comes back to the child by the event loop
    elif kind == "thread":
        pid = await asyncio.get_running_loop().run_in_executor(None, os.fork)  # as sync endpoints are run
    elif kind != "next":
        pid = os.fork()
    if pid == 0:
        if kind == "held" and "socket" in os.readlink("/proc/self/fd/3"):
            sys.exit(9)
        if kind == "exit":
            sys.exit(3)
        if kind == "raise":
            raise ValueError("in the child")
        if kind == "task":
            sys.exit(4)
        if kind == "return":
            return
        if kind == "term":
            os.kill(os.getpid(), signal.SIGTERM)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    text = "next"
    if kind != "next":
        status = (await asyncio.get_running_loop().run_in_executor(None, os.waitpid, pid, 0))[1]
        text = "%s: signal %d status %d" % (kind, status & 127, status >> 8)
    await send({"type": "http.response.body", "body": text.encode()})
`
	want := []string{
		"answer: signal 0 status 0", "held: signal 0 status 0", "exit: signal 0 status 3", "raise: signal 0 status 1",
		"task: signal 0 status 4", "return: signal 0 status 0", "term: signal 15 status 0",
		"thread: signal 0 status 0",
	}
	for _, server := range asgiServers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			needASGI(t, server)
			p := startReady(t, asgiSpec(t, code), "PASSENGER_ASGI_SERVER="+server)
			s := p.dial(t)
			for _, want := range want {
				kind, _, _ := strings.Cut(want, ":")
				if got := s.exchange(t, "/"+kind, ""); got.body != want {
					t.Errorf("got %q, want %q", got.body, want)
				}
				if got := s.exchange(t, "/next", ""); got.body != "next" {
					t.Errorf("after %s: got %q, want the next answer", kind, got.body)
				}
			}
		})
	}
}
