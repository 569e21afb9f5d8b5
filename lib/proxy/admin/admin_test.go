package admin

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"passenger/lib/proxy/balance"
)

// patience bounds every wait of a test.
const patience = time.Minute

// A fake is a proxy of which only its standing is known.
type fake struct{ standing Standing }

func (f *fake) Pulse()             {}
func (f *fake) Standing() Standing { return f.standing }

func TestStandingsInWords(t *testing.T) {
	t.Parallel()
	broken := balance.Standing{App: "broken", Why: "it is paused"}
	busy := balance.Standing{App: "busy", Slots: 4}
	half := balance.Standing{App: "half", Slots: 4, Free: 2}
	node := balance.Standing{App: "node"}
	for name, c := range map[string]struct {
		standing           Standing
		unready, app, line string // app is about "broken"
	}{
		"half of it is free":       {Standing{Routed: true, Apps: []balance.Standing{half}}, "", `there is no app "broken"`, "up ready 50%"},
		"one of two is broken":     {Standing{Routed: true, Apps: []balance.Standing{broken, half}}, "", `app "broken": it is paused`, "up ready 50%"},
		"all are busy":             {Standing{Routed: true, Apps: []balance.Standing{busy}}, "", `there is no app "broken"`, "up ready 1%"},
		"some is free":             {Standing{Routed: true, Apps: []balance.Standing{busy, half, node}}, "", `there is no app "broken"`, "up ready 25%"},
		"nothing has a limit":      {Standing{Routed: true, Apps: []balance.Standing{node}}, "", `there is no app "broken"`, "up ready 100%"},
		"it cannot serve":          {Standing{Routed: true, Apps: []balance.Standing{broken}}, `app "broken": it is paused`, `app "broken": it is paused`, `down # app "broken": it is paused`},
		"there is no table":        {Standing{}, "no route table has come yet", "no route table has come yet", "down # no route table has come yet"},
		"there is no app":          {Standing{Routed: true}, "there is no app", `there is no app "broken"`, "down # there is no app"},
		"a web server brings apps": {Standing{Routed: true, Configured: true}, "", `there is no app "broken"`, "up ready 100%"},
		"it leaves":                {Standing{Leaving: true, Routed: true, Apps: []balance.Standing{half}}, errLeaving, errLeaving, "drain"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.standing.unready(); got != c.unready {
				t.Errorf("got %q, want %q", got, c.unready)
			}
			if got := c.standing.unreadyFor("broken"); got != c.app {
				t.Errorf("of the app: got %q, want %q", got, c.app)
			}
			if got := c.standing.agentLine(c.standing.share()); got != c.line+"\n" {
				t.Errorf("to the agent: got %q, want %q", got, c.line)
			}
		})
	}
}

// listen serves on a port of the system's choice until the test ends.
func listen(t *testing.T, serve func(context.Context, net.Listener)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { serve(ctx, l) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return l.Addr().String()
}

func TestThePortOnlyReads(t *testing.T) {
	t.Parallel()
	f := &fake{Standing{Routed: true, Apps: []balance.Standing{{App: "a"}, {App: "b", Why: "it is paused"}}}}
	p := &Port{Proxy: f, Metrics: func() []byte { return []byte("m 1\n") }}
	addr := listen(t, p.Serve)
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/livez", 200, "ok\n"},
		{"HEAD", "/livez", 200, ""},
		{"GET", "/readyz", 200, "ok\n"},
		{"GET", "/readyz?app=a", 200, "ok\n"},
		{"GET", "/readyz?app=b", 503, "app \"b\": it is paused\n"},
		{"GET", "/readyz?app=c", 404, "there is no app \"c\"\n"},
		{"GET", "/metrics", 200, "m 1\n"},
		{"POST", "/livez", 405, "Method Not Allowed\n"},
		{"POST", "/v1/drain", 404, "404 page not found\n"},
		{"GET", "/v1/requests", 404, "404 page not found\n"},
		{"GET", "/", 404, "404 page not found\n"},
	} {
		r, err := http.NewRequest(c.method, "http://"+addr+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(a.Body)
		a.Body.Close()
		if err != nil || a.StatusCode != c.status || string(body) != c.body {
			t.Errorf("%s %s: got %d, %q, %v; want %d, %q", c.method, c.path, a.StatusCode, body, err, c.status, c.body)
		}
	}
}

// Whoever is slow or silent makes room for a probe, however many they are.
func TestAThousandSilentClientsKeepNoProbeWaiting(t *testing.T) {
	t.Parallel()
	f := &fake{Standing{Routed: true, Apps: []balance.Standing{{App: "a"}}}}
	p := &Port{Proxy: f, Metrics: func() []byte { return nil }}
	for name, c := range map[string]struct {
		serve      func(context.Context, net.Listener)
		begin, ask string
		want       string
	}{
		"admin": {p.Serve, "GET /livez HTTP/1.1\r\nHost:", "GET /readyz HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n"},
		"agent": {func(ctx context.Context, l net.Listener) { ServeAgent(ctx, l, f) }, "", "", "up ready 100%\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := listen(t, c.serve)
			for i := range 1000 {
				nc := dial(t, addr)
				defer nc.Close()
				if i%2 == 0 {
					fmt.Fprint(nc, c.begin)
				}
				if i%100 > 0 {
					continue
				}
				probe := dial(t, addr)
				fmt.Fprint(probe, c.ask)
				line, err := bufio.NewReader(probe).ReadString('\n')
				if err != nil || line != c.want {
					t.Fatalf("beside %d: got %q, %v", i+1, line, err)
				}
				probe.Close()
			}
		})
	}
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err == nil {
		err = nc.SetDeadline(time.Now().Add(patience))
	}
	if err != nil {
		t.Fatal(err)
	}
	return nc
}

func TestACrowdKeepsItsNewest(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := newCrowd(l)
	var clients []net.Conn
	for range 2 * mostConnections {
		clients = append(clients, dial(t, l.Addr().String()))
		nc, err := c.Accept()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(nc, "hello")
	}
	defer c.closeAll()
	for i, nc := range clients {
		b := make([]byte, 8)
		n, err := io.ReadFull(nc, b[:5])
		if string(b[:n]) != "hello" {
			t.Errorf("client %d: got %q, %v", i, b[:n], err)
		}
		if i < mostConnections {
			if _, err := nc.Read(b); err == nil {
				t.Errorf("client %d, an old one, is connected still", i)
			}
		}
		nc.Close()
	}
	if n := c.all.Len(); n != mostConnections {
		t.Errorf("%d are left, want %d", n, mostConnections)
	}
}
