package web

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/status"
	"passenger/lib/unixsock"
)

const secretToken = Token("0123456789abcdef")

func number(n int) *int { return &n }

// village has an app of user 1000 and one of user 1001.
func village() status.Snapshot {
	s := status.Snapshot{At: time.Now(), StateDir: "/run/passenger", Parts: []status.Part{{Name: "spawn", State: status.Up, SwitchesUsers: true}, {Name: "pool", State: status.Up}, {Name: "proxy", State: status.Up, Listen: []string{":80"}}}}
	s.Processes, s.Apps = &protocol.ProcessList{}, &protocol.AppList{MaxPoolSize: 6, SpawnerUp: true, Proxies: []string{"p"}}
	s.Proxy = &protocol.ProxyApps{Report: protocol.ProxyReport{Apps: map[string]protocol.AppReport{"hers": {Requests: 4}, "his": {Requests: 5}}}}
	for i, app := range []string{"hers", "his"} {
		uid := 1000 + i
		p := protocol.Process{ID: app + "proc", App: app, PID: 70 + i, State: protocol.Ready, Root: protocol.Root{UID: &uid}}
		s.Processes.Processes = append(s.Processes.Processes, p)
		s.Apps.Apps = append(s.Apps.Apps, protocol.App{Name: app, Processes: []protocol.AppProcess{{Process: p}}})
		s.Routes.Apps = append(s.Routes.Apps, &protocol.Route{App: app, UID: &uid})
		s.Apps.Refused = append(s.Apps.Refused, protocol.Refusal{App: app, Message: "refused of " + app})
	}
	s.Processes.Strays = []protocol.Stray{{App: "hers", Command: "stray of hers"}}
	return s
}

const metricsText = "# HELP passenger_up Up.\n# TYPE passenger_up gauge\npassenger_up{part=\"pool\"} 1\n# HELP x X.\n# TYPE x gauge\nx{app=\"hers\"} 1\nx{app=\"his\"} 2\nx 3\n"

// server answers from a snapshot, and counts how often that was asked for.
func server(t *testing.T, token Token, s status.Snapshot) (handler http.Handler, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	x := &Server{Token: token, Hosts: []string{"status.example.com"}, owner: 0, source: &source{}, streams: make(chan struct{}, 1), stopped: t.Context()}
	x.source.snapshot.ask = func() looked { asked.Add(1); return looked{s, nil} }
	x.source.metrics.ask = func() []byte { asked.Add(1); return []byte(metricsText) }
	x.source.requests.ask = func() []protocol.Request { return nil }
	return x.guard(x.routes()), asked
}

// get makes a request. Fields are "Name: value".
func get(t *testing.T, h http.Handler, path string, fields ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = "127.0.0.1:9149"
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	return do(h, r)
}

func do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// calm is a village where every app runs as the daemons' own user.
func calm() status.Snapshot {
	s := village()
	s.Parts[0].SwitchesUsers = false
	for i := range s.Processes.Processes {
		s.Processes.Processes[i].UID = number(0)
	}
	return s
}

func TestWhoIsLetIn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		token  Token
		s      status.Snapshot
		path   string
		fields []string
		want   int
	}{
		{"no token, one user", "", calm(), "/v1/status", nil, 200},
		{"no token, many users", "", village(), "/v1/status", nil, 403},
		{"no token, many users, page", "", village(), "/", nil, 403},
		{"token missing", secretToken, calm(), "/metrics", nil, 401},
		{"token missing, page asks for it", secretToken, calm(), "/", nil, 401},
		{"token wrong", secretToken, calm(), "/metrics", []string{"Authorization: Bearer 0123456789abcdeX"}, 401},
		{"token empty", secretToken, calm(), "/metrics", []string{"Authorization: Bearer "}, 401},
		{"token right", secretToken, village(), "/metrics", []string{"Authorization: Bearer " + string(secretToken)}, 200},
		{"cookie wrong", secretToken, calm(), "/metrics", []string{"Cookie: passenger-status=9999999999.00"}, 401},
		{"the token is no cookie", secretToken, calm(), "/metrics", []string{"Cookie: passenger-status=" + string(secretToken)}, 401},
		{"style sheet without token", secretToken, calm(), "/dashboard.css", nil, 200},
		{"another site's name", "", calm(), "/v1/status", []string{"Host: evil.example"}, 421},
		{"another site's name that begins as ours", "", calm(), "/v1/status", []string{"Host: localhost.evil.example"}, 421},
		{"an address in a name", "", calm(), "/v1/status", []string{"Host: 127.0.0.1.evil.example:9149"}, 421},
		{"no name", "", calm(), "/v1/status", []string{"Host: "}, 421},
		{"localhost", "", calm(), "/v1/status", []string{"Host: localhost:9149"}, 200},
		{"IPv6", "", calm(), "/v1/status", []string{"Host: [::1]:9149"}, 200},
		{"a name by --host", "", calm(), "/v1/status", []string{"Host: Status.Example.com"}, 200},
		{"a page of another site", "", calm(), "/v1/status", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"}, 403},
		{"a link on another site", "", calm(), "/", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}, 200},
		{"no such page", "", calm(), "/etc/passwd", nil, 404},
	} {
		h, _ := server(t, tt.token, tt.s)
		w := get(t, h, tt.path, tt.fields...)
		if w.Code != tt.want {
			t.Errorf("%s: got %d, want %d: %s", tt.name, w.Code, tt.want, w.Body)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: got policy %q", tt.name, csp)
		}
	}
}

func TestNothingChangesAnything(t *testing.T) {
	t.Parallel()
	h, _ := server(t, "", calm())
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
		for _, path := range []string{"/", "/metrics", "/v1/status", "/v1/apps/hers/restart"} {
			r := httptest.NewRequest(method, path, nil)
			r.Host = "localhost"
			if w := do(h, r); w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: got %d, want 405", method, path, w.Code)
			}
		}
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	h, _ := server(t, secretToken, calm())
	login := func(token, origin string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(url.Values{"token": {token}}.Encode()))
		r.Host = "localhost:9149"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
		return do(h, r)
	}
	if w := login("wrong", "http://localhost:9149"); w.Code != 401 || w.Header().Get("Set-Cookie") != "" || !strings.Contains(w.Body.String(), "That is not the token.") {
		t.Errorf("got %d %q for a wrong token", w.Code, w.Header())
	}
	if w := login(string(secretToken), "http://evil.example"); w.Code != 403 {
		t.Errorf("got %d for a form of another site, want 403", w.Code)
	}
	w := login(string(secretToken), "http://localhost:9149")
	set := w.Header().Get("Set-Cookie")
	if w.Code != 303 || !strings.Contains(set, "HttpOnly") || !strings.Contains(set, "SameSite=Strict") || strings.Contains(set, string(secretToken)) {
		t.Fatalf("got %d %q", w.Code, set)
	}
	cookie, _, _ := strings.Cut(set, ";")
	if w := get(t, h, "/v1/status", "Cookie: "+cookie); w.Code != 200 {
		t.Errorf("got %d with the cookie, want 200", w.Code)
	}
	other, _ := server(t, "another token, 16", calm())
	if w := get(t, other, "/v1/status", "Cookie: "+cookie); w.Code != 401 {
		t.Errorf("got %d with the cookie of another token, want 401", w.Code)
	}
}

func TestCookieEnds(t *testing.T) {
	t.Parallel()
	now := time.Now()
	cookie := secretToken.cookie(now.Add(time.Minute))
	end, seal, _ := strings.Cut(cookie, ".")
	for cookie, want := range map[string]bool{
		cookie: true, "9" + end + "." + seal: false, end + "." + seal[1:]: false, end: false, "": false, ".": false,
	} {
		if got := secretToken.admits(cookie, now); got != want {
			t.Errorf("%q: got %v, want %v", cookie, got, want)
		}
	}
	if secretToken.admits(cookie, now.Add(2*time.Minute)) || Token("").admits(Token("").cookie(now.Add(time.Hour)), now) {
		t.Error("a cookie that ended, or one of no token, is let in")
	}
}

// over is a request over a unix socket, of a user.
func over(uid int, path string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	return r.WithContext(context.WithValue(r.Context(), connKey{}, unixsock.Peer{UID: uid, GID: 1 << 20}))
}

func TestOwnersSeeTheirOwnApps(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/metrics", "/v1/status", "/v1/dashboard?app=his", "/v1/dashboard?app=hers"} {
		h, _ := server(t, secretToken, village())
		for uid, want := range map[int][2]bool{0: {true, true}, 1000: {true, false}, 1001: {false, true}, 1002: {false, false}} {
			w := do(h, over(uid, path))
			body := w.Body.String()
			if got := [2]bool{strings.Contains(body, "hers"), strings.Contains(body, "his")}; w.Code != 200 || got != want {
				t.Errorf("%s of user %d: got %d and %v, want 200 and %v: %s", path, uid, w.Code, got, want, body)
			}
		}
	}
	h, _ := server(t, secretToken, village())
	if w := do(h, over(nobody, "/v1/status")); w.Code != 403 {
		t.Errorf("got %d for a peer that the kernel does not tell, want 403", w.Code)
	}
}

func TestOwnerOf(t *testing.T) {
	t.Parallel()
	s := village()
	s.Processes.Processes = append(s.Processes.Processes, protocol.Process{App: "his", Root: protocol.Root{UID: number(1002)}})
	for app, want := range map[string]int{"hers": 1000, "his": nobody, "none": nobody} {
		if got := ownerOf(s, app); got != want {
			t.Errorf("%s: got %d, want %d", app, got, want)
		}
	}
}

func TestManyAskOnce(t *testing.T) {
	t.Parallel()
	h, asked := server(t, secretToken, calm())
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			if w := get(t, h, "/metrics", "Authorization: Bearer "+string(secretToken)); w.Code != 200 {
				t.Errorf("got %d, want 200", w.Code)
			}
		})
	}
	began := time.Now()
	wg.Wait()
	if n, most := asked.Load(), int32(time.Since(began)/fresh)+1; n > most {
		t.Errorf("the daemons were asked %d times for 1000 scrapes, want at most %d", n, most)
	}
}

func TestTokenFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "status.token")
	if _, err := ReadToken(path); !Missing(err) {
		t.Errorf("got %v of a missing file", err)
	}
	made, err := NewToken(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewToken(path); err == nil {
		t.Error("a token that was there was overwritten")
	}
	if got, err := ReadToken(path); err != nil || got != made || len(got) != 32 {
		t.Errorf("got %q, %v, want %q", got, err, made)
	}
	for name, change := range map[string]func(string) error{
		"mode 0640": func(p string) error { return os.Chmod(p, 0o640) },
		"character": func(p string) error { return os.WriteFile(p, []byte("short"), 0o600) },
		"more than": func(p string) error { return os.WriteFile(p, []byte(strings.Repeat("x", 2000)), 0o600) },
		"symbolic":  func(p string) error { return os.Rename(p, p+".real") },
	} {
		p := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(p, []byte(secretToken), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := change(p); err != nil {
			t.Fatal(err)
		}
		want := name
		if name == "symbolic" {
			want = "too many levels"
			if err := os.Symlink(p+".real", p); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := ReadToken(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A check that asks by HEAD gets the head; its connection is free for the next
// request, and it takes no dashboard's place.
func TestStreamOfHeadEnds(t *testing.T) {
	t.Parallel()
	h, _ := server(t, "", calm())
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		q, err := http.NewRequestWithContext(ctx, method, s.URL+"/v1/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Client().Do(q)
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		defer r.Body.Close()
		if got := r.Header.Get("Content-Type"); r.StatusCode != http.StatusOK || got != "text/event-stream" {
			t.Errorf("%s: got %d, %q", method, r.StatusCode, got)
		}
	}
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	h, _ := server(t, "", calm())
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	r, err := http.Get(s.URL + "/v1/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	first := make([]byte, 6)
	if _, err := io.ReadFull(r.Body, first); err != nil || string(first) != "data: " {
		t.Fatalf("got %q, %v", first, err)
	}
	second, err := http.Get(s.URL + "/v1/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Body.Close()
	if second.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got %d for one stream too many, want 503", second.StatusCode)
	}
}
