package adapter

import (
	"context"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A process that is still loading says where it hangs.
func TestNodeSaysWhereItHangs(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, code, want string }{
		{"loop", "function spinForever() { console.log('spinning'); for (;;); }\nspinForever();", "at spinForever (/"},
		{"idle", "console.log('spinning'); require('net').createServer(c => {}).listen(0, '127.0.0.1'); setTimeout(() => {}, 1e6);", "idle, waits for "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, nodeSpec(t, "app.js", test.code))
			p.awaitOutput(t, "spinning")
			if test.name == "idle" {
				p.notice(t)
			}
			p.signal(t, syscall.SIGUSR1)
			p.awaitOutput(t, "Debugger listening on ws://127.0.0.1:")
			p.awaitOutput(t, "For help")
			address, _, ok := InspectorURL([]byte(p.output.String()))
			if !ok {
				t.Fatalf("no address in the output:\n%s", p.output)
			}
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			got, err := InspectorStack(ctx, address)
			if err != nil || !strings.Contains(got, test.want) {
				t.Errorf("got %q, error %v; want %q in it", got, err, test.want)
			}
			awaitRefusal(t, strings.Split(address, "/")[2])
			p.signal(t, syscall.SIGUSR1) // it can be asked again
			p.awaitCount(t, "Debugger listening on ws://127.0.0.1:", 2)
		})
	}
}

func TestFramesOfNodeAloneAreNoStack(t *testing.T) {
	t.Parallel()
	const own = "Error\n    at <anonymous>:4:19\n    at process.emit (node:events:471:44)\n    at node:internal/main/run_main_module:1:1\n"
	if got := appFrames(own); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
	const app = "    at hang (/app/app.js:2:3)\n"
	if got, want := appFrames(own+app), own[len("Error\n    at <anonymous>:4:19\n"):]+app; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// awaitRefusal waits until no program listens at a TCP address.
func awaitRefusal(t *testing.T, address string) {
	t.Helper()
	for end := time.Now().Add(bound); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		conn.Close()
	}
	t.Error("the inspector is still open")
}

func TestNodePrintsWhatItDoesOnSIGQUIT(t *testing.T) {
	t.Parallel()
	p := startReady(t, nodeSpec(t, "app.js", `
require('http').createServer((request, response) => {
  if (request.url === '/spin') {
    console.log('spinning');
    for (const end = Date.now() + 500; Date.now() < end;);
  } else if (request.url !== '/') return console.log('waiting');
  response.end('ok');
}).listen(3000)`))
	p.signal(t, syscall.SIGQUIT)
	p.awaitOutput(t, "main thread: idle, waits for ")
	io.WriteString(p.dial(t), "GET /slow HTTP/1.1\r\nHost: app\r\n\r\n")
	p.awaitOutput(t, "waiting")
	p.signal(t, syscall.SIGQUIT)
	p.awaitOutput(t, "request not answered yet: GET /slow\n")
	io.WriteString(p.dial(t), "GET /spin HTTP/1.1\r\nHost: app\r\n\r\n")
	p.awaitOutput(t, "spinning")
	p.signal(t, syscall.SIGQUIT)
	p.awaitCount(t, "main thread: idle, waits for ", 3)
	if got := p.get(t, "/"); got != "ok" {
		t.Errorf("got %q after SIGQUIT", got)
	}
}

func TestInspectorStackIsBounded(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	address := "ws://" + silent.Addr().String() + "/0-1"
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if got, err := InspectorStack(ctx, address); err == nil {
		t.Errorf("got %q from no inspector, want an error", got)
	}
}

// An app that listens in the inspector's place makes us read no more than an
// inspector says.
func TestInspectorThatGoesOnForEver(t *testing.T) {
	t.Parallel()
	const switching = "HTTP/1.1 101 Switching Protocols\r\nX: "
	frame := "\x81\x7f\x00\x00\x00\x00\x00\x04\x00\x00" + `{"id":7,"x":"` + strings.Repeat("x", 1<<18-15) + `"}`
	for name, parts := range map[string][2]string{
		"a field": {switching, strings.Repeat("x", 1<<16)},
		"fields":  {switching, strings.Repeat("x\r\nX: x", 1<<13)},
		"frames":  {switching + "x\r\n\r\n", frame},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			took := make(chan int, 1) // one send
			go func() {
				n := 0
				defer func() { took <- n }()
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				for text := parts[0]; n < 64<<20; text = parts[1] {
					wrote, err := conn.Write([]byte(text))
					if n += wrote; err != nil {
						return
					}
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			if got, err := InspectorStack(ctx, "ws://"+l.Addr().String()+"/a"); err == nil || ctx.Err() != nil {
				t.Errorf("got %q, %v; want an error, in time", got, err)
			}
			if n := <-took; n > 16<<20 { // the kernel's buffers are in it
				t.Errorf("%d bytes went out, want %d and what the kernel holds at most", n, maxTalk)
			}
		})
	}
}
