package proxy

import (
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/proxy/fronted"
	"passenger/lib/proxy/listen"

	"github.com/google/go-cmp/cmp"
)

// A webPool takes apps, and tells a proxy of them by a route to a fake.
type webPool struct {
	client *control.Client

	mu   sync.Mutex // guards the fields below
	took map[string]map[string]any
	puts int
	fail *protocol.Error
}

// newPool starts one. route makes the table with the apps that it has.
func newWebPool(t *testing.T, tell func(name string, config map[string]any)) *webPool {
	t.Helper()
	path := filepath.Join(socketDir(t), "pool")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	p := &webPool{client: control.NewClient(path, "test", "0"), took: map[string]map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /v1/apps/{name}", func(w http.ResponseWriter, r *http.Request) {
		var c map[string]any
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		fail := p.fail
		p.puts++
		p.took[r.PathValue("name")] = c
		p.mu.Unlock()
		if fail != nil {
			w.WriteHeader(400)
			_ = json.NewEncoder(w).Encode(protocol.ErrorReply{Error: fail})
			return
		}
		tell(r.PathValue("name"), c)
		_, _ = w.Write([]byte("{}"))
	})
	s := &http.Server{Handler: mux}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
	return p
}

func (p *webPool) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.puts
}

func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "proxy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// serveHeaders is serve with a listener for secure headers besides, whose
// address is returned.
func serveHeaders(t *testing.T, c Config, routes ...protocol.Route) (*server, string) {
	t.Helper()
	path := filepath.Join(socketDir(t), "web")
	l, err := listen.At("secure-headers:unix:"+path, listen.SocketFile{})
	if err != nil {
		t.Fatal(err)
	}
	return serveAlso(t, []net.Listener{l}, c, routes...), path
}

// front is a proxy with a pool that gives every app to one fake, whose answer
// is the name of the app.
func front(t *testing.T, proto string, answer behaviour) (*server, *webPool, string) {
	t.Helper()
	var s *server
	f := start(t, proto, 0, answer)
	var mu sync.Mutex
	routes := []protocol.Route{{App: "known", BaseURI: "/", QueueSize: 100, Processes: []protocol.RouteProcess{f.route}}}
	pool := newWebPool(t, func(name string, config map[string]any) {
		mu.Lock()
		defer mu.Unlock()
		r := protocol.Route{App: name, BaseURI: config["base_uri"].(string), QueueSize: 100, Processes: []protocol.RouteProcess{f.route}}
		r.Unlisted = true
		routes = append(routes, r)
		s.set(routes...)
	})
	s, path := serveHeaders(t, Config{SecureHeaders: fronted.Config{Pool: pool.client}}, routes...)
	return s, pool, path
}

func secureRequest(path string, fields ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: a.test\r\n" + strings.Join(append(fields, "\r\n"), "\r\n")
}

func TestSecureHeadersConfigureApps(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		s, pool, path := front(t, proto, func(c *call) bool {
			c.ok(c.Vars["SCRIPT_NAME"] + " " + c.header("X-Forwarded-For") + " " + c.header("X-Forwarded-Proto") + " " + c.Vars["REMOTE_USER"])
			return true
		})
		p := dialPeer(t, "unix", path)
		fields := []string{
			"!~PASSENGER_APP_ROOT: /srv/Shop", "!~PASSENGER_APP_ENV: staging", "!~PASSENGER_APP_TYPE: wsgi", "!~passenger_min_processes: 2",
			"!~PASSENGER_STICKY_SESSIONS: t", "!~PASSENGER_LOAD_SHELL_ENVVARS: off", "!~SCRIPT_NAME: /shop", "!~REMOTE_ADDR: 192.0.2.7", "!~REMOTE_PORT: 99",
			"!~REMOTE_USER: me", "!~FLAGS: S", "!~PASSENGER_ENV_VARS: " + base64.StdEncoding.EncodeToString([]byte("A\x00b c\x00D\x00\x00")), "!~PASSENGER_RUBY:",
		}
		for range 3 {
			want := " 192.0.2.7 https "
			if proto != protocol.ProtocolHTTP {
				want = "/shop 192.0.2.7 https me"
			}
			if r := p.send(secureRequest("/shop/x", fields...)).receive("GET"); r.Body != want {
				t.Fatalf("got %+v, want %q", r, want)
			}
		}
		name := fronted.AppNameOf("/srv/Shop (staging)")
		want := map[string]any{
			"name": name, "unlisted": true, "base_uri": "/shop", "app_root": "/srv/Shop", "environment": "staging", "app_type": "wsgi", "min_instances": 2.0,
			"sticky_sessions": true, "load_shell_envvars": false, "envvars": map[string]any{"A": "b c", "D": ""},
		}
		if diff := cmp.Diff(want, pool.took[name]); diff != "" || pool.count() != 1 {
			t.Errorf("the pool was told %d times (-want +got):\n%s", pool.count(), diff)
		}
		// Another path of the app is none of its own.
		if r := p.send(secureRequest("/other", fields...)).receive("GET"); r.Status != 400 {
			t.Errorf("a path beside the app: got %+v", r)
		}
		// Nobody reaches it by host and path.
		if r := s.dial().get("/shop/x"); strings.Contains(r.Body, "/shop") && proto != protocol.ProtocolHTTP {
			t.Errorf("got %+v", r)
		}
	})
}

// The first request of a group settles its options.
func TestOtherSettingsForAGroupChangeNothing(t *testing.T) {
	t.Parallel()
	_, pool, path := front(t, protocol.ProtocolHTTP, say("ok"))
	p := dialPeer(t, "unix", path)
	for _, n := range []string{"1", "2", "1"} {
		if r := p.send(secureRequest("/", "!~PASSENGER_APP_ROOT: /srv/a", "!~PASSENGER_MIN_PROCESSES: "+n)).receive("GET"); r.Body != "ok" {
			t.Errorf("got %+v", r)
		}
	}
	if pool.count() != 1 || pool.took[fronted.AppNameOf("/srv/a")]["min_instances"] != 1.0 {
		t.Errorf("the pool was told %d times, last %v", pool.count(), pool.took)
	}
	// A group of another name is another app, an app root with another
	// environment too.
	for _, field := range []string{"!~PASSENGER_APP_GROUP_NAME: b", "!~PASSENGER_APP_ENV: test"} {
		before := pool.count()
		if r := p.send(secureRequest("/", "!~PASSENGER_APP_ROOT: /srv/a", field)).receive("GET"); r.Body != "ok" || pool.count() != before+1 {
			t.Errorf("%s: got %+v, and the pool was told %d times", field, r, pool.count()-before)
		}
	}
}

func TestRequestsOfANewGroupMakeOneCall(t *testing.T) {
	t.Parallel()
	_, pool, path := front(t, protocol.ProtocolHTTP, say("ok"))
	var wg sync.WaitGroup
	for range 20 {
		p := dialPeer(t, "unix", path)
		wg.Go(func() {
			if r := p.send(secureRequest("/", "!~DOCUMENT_ROOT: /srv/a/public/")).receive("GET"); r.Body != "ok" {
				t.Errorf("got %+v", r)
			}
		})
	}
	wg.Wait()
	if took := pool.took[fronted.AppNameOf("/srv/a")]; took["app_root"] != "/srv/a" || took["static_files_dir"] != "/srv/a/public/" {
		t.Errorf("got %v", took)
	}
}

// A request waits for the table that has its app, as in the app's queue.
func TestRequestsWaitForTheTableWithTheirApp(t *testing.T) {
	t.Parallel()
	r := route(start(t, protocol.ProtocolHTTP, 0, say("late")))
	r.App, r.Unlisted = fronted.AppNameOf("/srv/a"), true
	asked := make(chan bool, 10)
	pool := newWebPool(t, func(string, map[string]any) { asked <- true })
	s, path := serveHeaders(t, Config{SecureHeaders: fronted.Config{Pool: pool.client}})
	impatient := dialPeer(t, "unix", path).send(secureRequest("/", "!~PASSENGER_APP_ROOT: /srv/b", "!~PASSENGER_MAX_REQUEST_QUEUE_TIME: 0.05"))
	if r := impatient.receive("GET"); r.Status != 504 {
		t.Errorf("got %+v, want to wait no longer than asked", r)
	}
	leaves := dialPeer(t, "unix", path).send(secureRequest("/", "!~PASSENGER_APP_ROOT: /srv/b"))
	within(t, asked, "the first call of the pool")
	within(t, asked, "the second one")
	leaves.Close()
	eventually(t, "who left waits no more", func() bool { return s.registrar.Waits() == 0 })

	stays := dialPeer(t, "unix", path).send(secureRequest("/", "!~PASSENGER_APP_ROOT: /srv/a"))
	within(t, asked, "the call of the pool")
	s.set(r)
	if r := stays.receive("GET"); r.Body != "late" {
		t.Errorf("got %+v", r)
	}
	if n := s.registrar.Waits(); n != 0 {
		t.Errorf("%d wait though none does", n)
	}
}

// An app that was removed from the pool is added again by the next request.
func TestRemovedAppsAreAddedAgain(t *testing.T) {
	t.Parallel()
	s, pool, path := front(t, protocol.ProtocolHTTP, say("ok"))
	p := dialPeer(t, "unix", path)
	for n := range 3 {
		if r := p.send(secureRequest("/", "!~PASSENGER_APP_ROOT: /srv/a")).receive("GET"); r.Body != "ok" || pool.count() != n+1 {
			t.Errorf("got %+v, and the pool was told %d times", r, pool.count())
		}
		s.set()
	}
}

func TestSecureHeadersThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	_, pool, path := front(t, protocol.ProtocolHTTP, say("ok"))
	root := "!~PASSENGER_APP_ROOT: /srv/a"
	for want, fields := range map[string][]string{
		"PASSENGER_NONSENSE":  {root, "!~PASSENGER_NONSENSE: 1"},
		"PASSENGER-APP-ROOT":  {"!~PASSENGER-APP-ROOT: /srv/b"},
		"comes twice":         {root, "!~passenger_app_root: /srv/b"},
		"unknown flag":        {root, "!~FLAGS: X"},
		"is not an address":   {root, "!~REMOTE_ADDR: evil"},
		"is not a port":       {root, "!~REMOTE_PORT: 1x"},
		"an absolute path":    {"!~PASSENGER_APP_ROOT: srv/a"},
		"is not a number":     {"!~PASSENGER_APP_GROUP_NAME: x", root, "!~PASSENGER_MIN_PROCESSES: many"},
		"neither on nor off":  {"!~PASSENGER_APP_GROUP_NAME: y", root, "!~PASSENGER_STICKY_SESSIONS: perhaps"},
		"not base64":          {"!~PASSENGER_APP_GROUP_NAME: z", root, "!~PASSENGER_ENV_VARS: %"},
		"not a list of names": {"!~PASSENGER_APP_GROUP_NAME: q", root, "!~PASSENGER_ENV_VARS: YQ=="},
		"unknown secure":      {root, "!~" + strings.Repeat("A", 100) + ": 1"},
		"is not known here":   {"!~PASSENGER_APP_GROUP_NAME: stranger"},
	} {
		r := dialPeer(t, "unix", path).send(secureRequest("/", append(fields, "Accept: text/plain")...)).receive("GET")
		if (r.Status != 400 && r.Status != 403) || !strings.Contains(r.Body, want) {
			t.Errorf("%q: got %+v, want %q", fields, r, want)
		}
	}
	if pool.count() > 0 {
		t.Errorf("the pool was told of %v", pool.took)
	}
	// What names no app goes by host and path; a known app needs no more than
	// its name.
	p := dialPeer(t, "unix", path)
	for _, field := range []string{"X: y", "!~REMOTE_ADDR: unix:", "!~PASSENGER_APP_GROUP_NAME: known"} {
		if r := p.send(secureRequest("/", field)).receive("GET"); r.Body != "ok" {
			t.Errorf("%s: got %+v", field, r)
		}
	}
}

func TestWhatThePoolSaysBecomesAnAnswer(t *testing.T) {
	t.Parallel()
	_, pool, path := front(t, protocol.ProtocolHTTP, say("ok"))
	pool.fail = &protocol.Error{Code: protocol.CodeInvalidApp, Message: "secret /srv/a is not a directory"}
	ask := func(path string) reply {
		return dialPeer(t, "unix", path).send(secureRequest("/", "!~PASSENGER_APP_ROOT: /srv/a")).receive("GET")
	}
	if r := ask(path); r.Status != 500 || strings.Contains(r.Body, "secret") {
		t.Errorf("refused: got %+v", r)
	}
	down := Config{SecureHeaders: fronted.Config{Pool: control.NewClient(filepath.Join(t.TempDir(), "none"), "test", "0")}}
	s, path := serveHeaders(t, down)
	if r := ask(path); r.Status != 503 || r.Header.Get("Retry-After") == "" || !strings.Contains(r.Body, "pool") {
		t.Errorf("down: got %+v", r)
	}
	// What the last table has needs no pool.
	r := route(start(t, protocol.ProtocolHTTP, 0, say("kept")))
	r.App, r.Unlisted = fronted.AppNameOf("/srv/a"), true
	s.set(r)
	if r := ask(path); r.Body != "kept" {
		t.Errorf("down, but in the table: got %+v", r)
	}
}

func TestSecureHeadersMayBeBoundToKnownApps(t *testing.T) {
	t.Parallel()
	f := start(t, protocol.ProtocolHTTP, 0, say("ok"))
	r := route(f)
	r.App = "known"
	_, path := serveHeaders(t, Config{}, r)
	p := dialPeer(t, "unix", path)
	for _, test := range []struct {
		fields []string
		want   int
	}{
		{[]string{"!~PASSENGER_APP_GROUP_NAME: known"}, 200},
		{[]string{"!~PASSENGER_APP_GROUP_NAME: known", "!~SCRIPT_NAME: /x", "!~REMOTE_ADDR: ::1"}, 200},
		{[]string{"!~PASSENGER_APP_GROUP_NAME: other"}, 403},
		{[]string{"!~PASSENGER_APP_GROUP_NAME: known", "!~PASSENGER_APP_ROOT: /srv"}, 403},
		{[]string{"!~PASSENGER_APP_ROOT: /srv"}, 403},
		{[]string{"!~PASSENGER_APP_GROUP_NAME: known", "!~PASSENGER_USER: root"}, 403},
	} {
		if r := p.send(secureRequest("/", test.fields...)).receive("GET"); r.Status != test.want {
			t.Errorf("%q: got %+v, want %d", test.fields, r, test.want)
		}
	}
}

// A client of other listeners configures nothing, in no spelling, and no app
// sees what it tried.
func TestSecureHeadersOfStrangersAreDropped(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		answer := func(c *call) bool {
			_ = c.body()
			seen := ""
			for name := range c.Header {
				seen += name + " "
			}
			for name := range c.Vars {
				seen += name + " "
			}
			if c.Trailer != nil {
				for name := range c.Trailer() {
					seen += name + " "
				}
			}
			seen = strings.ToUpper(seen)
			if strings.Contains(seen, "PASSENGER_") || strings.Contains(seen, "~") || strings.Contains(seen, "!") {
				c.ok(seen)
			} else {
				c.ok("clean " + c.header("X-Forwarded-For"))
			}
			return true
		}
		s, addr := serveTLS(t, Config{}, route(start(t, proto, 0, answer)))
		for _, name := range []string{"!~PASSENGER_APP_ROOT", "!~passenger_app_root", "!~PASSENGER-APP-ROOT", "!~", "!~REMOTE_ADDR", "PASSENGER_APP_ROOT", "!~REMOTE_ADDR"} {
			request := "POST / HTTP/1.1\r\nHost: a.test\r\n" + name + ": 192.0.2.1\r\n" + name + ": 192.0.2.1\r\n" +
				"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + name + ": 192.0.2.1\r\n\r\n"
			if r := s.dial().send(request).receive("POST"); r.Body != "clean 127.0.0.1" {
				t.Errorf("%s: got %+v", name, r)
			}
			if r := dialPeer(t, "unix", s.unix).send(request).receive("POST"); r.Body != "clean " {
				t.Errorf("%s over a unix socket: got %+v", name, r)
			}
		}
		over(t, addr, func(t *testing.T, c *http.Client, version string) {
			r, err := http.NewRequest("GET", "https://"+addr+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header["!~passenger_app_root"] = []string{"/srv/evil"}
			resp, err := c.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b := make([]byte, 64)
			n, _ := resp.Body.Read(b)
			if got := string(b[:n]); got != "clean 127.0.0.1" {
				t.Errorf("%s: got %q", version, got)
			}
		})
	})
}

func TestFlagsOfAWebServer(t *testing.T) {
	t.Parallel()
	f := start(t, protocol.ProtocolHTTP, 0, func(c *call) bool {
		_ = c.body()
		c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
		return true
	})
	s, path := serveHeaders(t, Config{}, route(f))
	p := dialPeer(t, "unix", path)
	p.send("POST / HTTP/1.1\r\nHost: a\r\n!~FLAGS: DC\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	eventually(t, "the proxy waits for the body", s.awaitsBody)
	r := p.send("ab").receive("POST") // no 100 comes first: the client was told to go on
	if r.Status != 200 || r.Body != "ok" || r.Header.Get("Transfer-Encoding") != "" || !r.Close {
		t.Errorf("got %+v, want an answer without chunks", r)
	}
}

func TestRequestsOfKnownGroupsAllocateNothing(t *testing.T) {
	if racing {
		t.Skip("the race detector allocates")
	}
	r := route()
	r.App = "known"
	p := New(Config{Timeouts: quick})
	p.SetRoutes(tableOf(1, r))
	c := &client{proxy: p, headers: &fronted.Headers{}}
	x := newExchange()
	x.client = c
	x.reset()
	b := []byte(secureRequest("/a", "!~PASSENGER_APP_GROUP_NAME: known", "!~REMOTE_ADDR: 192.0.2.1", "!~FLAGS: S"))
	if done, err := x.req.Parse(b); !done || err != nil {
		t.Fatal(err)
	}
	choose := func() {
		*c.headers = fronted.Headers{}
		if m, err := x.session.choose(); m == nil || err != nil {
			t.Fatalf("got %v, %v", m, err)
		}
	}
	choose()
	if n := testing.AllocsPerRun(100, choose); n > 0 {
		t.Errorf("got %v allocations", n)
	}
}

func BenchmarkChoose(b *testing.B) {
	r := route()
	r.App = "known"
	p := New(Config{Timeouts: quick})
	p.SetRoutes(tableOf(1, r))
	c := &client{proxy: p, headers: &fronted.Headers{}}
	x := newExchange()
	x.client = c
	x.reset()
	head := []byte(secureRequest("/a", "!~PASSENGER_APP_GROUP_NAME: known", "!~REMOTE_ADDR: 192.0.2.1", "!~SCRIPT_NAME: /", "!~FLAGS: S"))
	if done, err := x.req.Parse(head); !done || err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		*c.headers = fronted.Headers{}
		if _, err := x.session.choose(); err != nil {
			b.Fatal(err)
		}
	}
}
