package adapter

import (
	"context"
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
			address, ok := InspectorURL([]byte(p.output.String()))
			if !ok {
				t.Fatalf("no address in the output:\n%s", p.output)
			}
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			got, err := InspectorStack(ctx, address)
			if err != nil || !strings.Contains(got, test.want) {
				t.Errorf("got %q, error %v; want %q in it", got, err, test.want)
			}
		})
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
		t.Errorf("got %q from nobody, want an error", got)
	}
}
