package adapter

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"passenger/lib/protocol"
)

// asgiPython is the interpreter for which the distribution has the servers.
const asgiPython = "/usr/bin/python3"

var asgiServers = []string{"uvicorn", "hypercorn", "daphne"}

const asgiApp = `
import asyncio, os
print("loading", flush=True)
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        print("startup", flush=True)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("shutdown", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    assert scope["type"] == "http"
    if scope["path"] == "/slow":
        print("serving", flush=True)
        while not os.path.exists(scope["query_string"].decode()):
            await asyncio.sleep(0.01)
    body = "%s %s %s" % (scope["scheme"], (scope["client"] or ["?"])[0], scope.get("root_path", ""))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body.encode()})
`

// needASGI skips the test if a server is missing; with CI=true it fails.
func needASGI(t *testing.T, server string) {
	t.Helper()
	need(t, asgiPython)
	if err := exec.Command(asgiPython, "-c", "import "+server).Run(); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", server)
	}
	t.Skipf("%s is not installed", server)
}

func asgiSpec(t *testing.T, code string) Spec {
	return Spec{
		Type: protocol.TypeASGI, Interpreter: asgiPython,
		AppRoot: writeApp(t, map[string]string{"passenger_asgi.py": code}),
	}
}

func TestASGIServersServeWithTheirLifespan(t *testing.T) {
	t.Parallel()
	for _, server := range asgiServers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			needASGI(t, server)
			p := startReady(t, asgiSpec(t, asgiApp), "PASSENGER_ASGI_SERVER="+server, "PASSENGER_BASE_URI=/shop")
			p.awaitOutput(t, "startup\n")
			req, err := http.NewRequest("GET", "http://app/", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Forwarded-For", "192.0.2.1, 192.0.2.7")
			req.Header.Set("X-Forwarded-Proto", "https")
			resp, err := p.client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body := make([]byte, 100)
			n, _ := resp.Body.Read(body)
			resp.Body.Close()
			if got, want := string(body[:n]), "https 192.0.2.7 /shop"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			p.signal(t, syscall.SIGQUIT)
			p.awaitOutput(t, "Current thread 0x")
			p.signal(t, syscall.SIGTERM)
			if status := p.wait(t); status != 0 {
				t.Errorf("got exit status %d, want 0", status)
			}
			p.awaitOutput(t, "shutdown\n")
		})
	}
}

func TestASGIServersFinishWhatIsInFlight(t *testing.T) {
	t.Parallel()
	for _, server := range asgiServers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			needASGI(t, server)
			p := startReady(t, asgiSpec(t, asgiApp), "PASSENGER_ASGI_SERVER="+server)
			file := filepath.Join(t.TempDir(), "go-on")
			answered := make(chan error, 1)
			go func() {
				body, err := p.tryGet("/slow?" + file)
				if err == nil && body == "" {
					err = fmt.Errorf("empty body")
				}
				answered <- err
			}()
			p.awaitOutput(t, "serving")
			p.signal(t, syscall.SIGTERM)
			if err := os.WriteFile(file, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := <-answered; err != nil {
				t.Errorf("the request in flight: %v", err)
			}
			if status := p.wait(t); status != 0 {
				t.Errorf("got exit status %d, want 0", status)
			}
		})
	}
}

func TestASGIAppWithoutLifespanIsServed(t *testing.T) {
	t.Parallel()
	const code = `
async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError("only HTTP")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"served"})
`
	for _, server := range asgiServers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			needASGI(t, server)
			p := startReady(t, asgiSpec(t, code), "PASSENGER_ASGI_SERVER="+server)
			if got := p.get(t, "/"); got != "served" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestASGIFailuresAreExplained(t *testing.T) {
	t.Parallel()
	fails := func(how string) string {
		return "async def application(scope, receive, send):\n    await receive()\n    " + how + "\n"
	}
	tests := []struct{ name, code, category, want string }{
		{"raises", fails(`raise RuntimeError("no database at db.example.com")`), "app", `startup failed: RuntimeError: no database at db.example.com`},
		{"says", fails(`await send({"type": "lifespan.startup.failed", "message": "Traceback\nOSError: no queue"})`), "app", `startup failed: OSError: no queue`},
		{"syntax", "def application(:\n", "syntax", `line 1`},
		{"import", "import no_such\n", "dependency", `no_such`},
	}
	for _, server := range asgiServers {
		for _, test := range tests {
			t.Run(server+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				needASGI(t, server)
				p := start(t, asgiSpec(t, test.code), "PASSENGER_ASGI_SERVER="+server)
				got := p.notice(t)
				if !strings.Contains(got, `"category": "`+test.category+`"`) || !strings.Contains(got, test.want) {
					t.Errorf("got notice %s, want category %s and %q", got, test.category, test.want)
				}
				if status := p.wait(t); status != 1 {
					t.Errorf("got exit status %d, want 1", status)
				}
			})
		}
	}
}

func TestASGIServerThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	need(t, asgiPython)
	tests := []struct{ server, want string }{
		{"gunicorn", `PASSENGER_ASGI_SERVER is \"gunicorn\", which is none of uvicorn, hypercorn, daphne`},
		{"", `no ASGI server is installed: neither uvicorn nor hypercorn nor daphne`},
	}
	for _, test := range tests {
		spec := asgiSpec(t, "import importlib.util\nimportlib.util.find_spec = lambda name: None\ndef application(): pass\n")
		p := start(t, spec, "PASSENGER_ASGI_SERVER="+test.server)
		if got := p.notice(t); !strings.Contains(got, `"category": "dependency"`) || !strings.Contains(got, test.want) {
			t.Errorf("got notice %s, want %q", got, test.want)
		}
		p.wait(t)
	}
}
