package proxy

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"passenger/lib/protocol"
)

// A cachedApp answers as its query says, and counts what it made.
type cachedApp struct {
	*server
	fake *fake
	made atomic.Int64
	hold chan struct{} // if set, answers wait for it
}

func withCache(t testing.TB, proto string, change func(*protocol.Route)) *cachedApp {
	t.Helper()
	a := &cachedApp{}
	a.fake = start(t, proto, 0, a.answer)
	r := route(a.fake)
	r.Turbocaching = true
	if change != nil {
		change(&r)
	}
	a.server = serve(t, Config{}, r)
	return a
}

func (a *cachedApp) answer(c *call) bool {
	io.Copy(io.Discard, c.Body)
	u, err := url.Parse(c.Target)
	if err != nil {
		c.t.Errorf("target %q: %v", c.Target, err)
		return false
	}
	q, n := u.Query(), a.made.Add(1)
	if a.hold != nil && c.Method == "GET" {
		<-a.hold
	}
	if q.Has("number") {
		n = 0
	}
	status, body := "200", fmt.Sprintf("%d %s", n, u.Path)
	if v := q.Get("status"); v != "" {
		status = v
	}
	if v, err := strconv.Atoi(q.Get("size")); err == nil {
		body = strings.Repeat("x", v)
	}
	fields := q.Get("fields")
	if c.Method != "GET" && c.Method != "HEAD" {
		if status, fields = c.header("X-Status"), ""; status == "" {
			status = "200"
		}
		if v := c.header("X-Location"); v != "" {
			fields = v + "\r\n"
		}
	}
	switch {
	case c.Method == "HEAD":
		c.reply("HTTP/1.1 %s X\r\n%sContent-Length: %d\r\n\r\n", status, fields, len(body))
	case q.Has("chunked"):
		c.reply("HTTP/1.1 %s X\r\n%sTransfer-Encoding: chunked\r\n\r\n1\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", status, fields, body[:1], len(body)-1, body[1:])
	default:
		c.reply("HTTP/1.1 %s X\r\n%sContent-Length: %d\r\n\r\n%s", status, fields, len(body), body)
	}
	return true
}

// answering is a target whose answers have fields.
func answering(path, fields string) string { return path + "?fields=" + url.QueryEscape(fields) }

const minute = "Cache-Control: max-age=60\r\n"

func (p *peer) ask(method, target, fields string) reply {
	p.t.Helper()
	return p.send(method + " " + target + " HTTP/1.1\r\nHost: a.test\r\n" + fields + "\r\n").receive(method)
}

func hit(r reply) bool {
	return r.Header.Get("Cache-Status") == "passenger; hit" && r.Header.Get("Age") != ""
}

func TestKeptAnswersAreGivenAgain(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		a := withCache(t, proto, nil)
		for i, c := range []string{"", "&chunked", "&status=404", "&size=0", "&size=32768", "&status=200&size=5"} {
			p, target := a.dial(), answering(fmt.Sprintf("/%d", i), minute+"ETag: \"e\"\r\nX-App: yes\r\nAge: 3\r\n")+c
			first := p.get(target)
			second := p.get(target)
			head := p.ask("HEAD", target, "")
			old := p.send("GET " + target + " HTTP/1.0\r\nHost: A.TEST\r\nConnection: keep-alive\r\n\r\n").receive("GET")
			if hit(first) || !hit(second) || !hit(head) || !hit(old) {
				t.Errorf("%s: hits are %v, %v, %v, %v", c, hit(first), hit(second), hit(head), hit(old))
			}
			if second.Status != first.Status || second.Body != first.Body || old.Body != first.Body || head.Body != "" {
				t.Errorf("%s: got %d %.40q, then %d %.40q, %.40q", c, first.Status, first.Body, second.Status, second.Body, old.Body)
			}
			for _, r := range []reply{second, head, old} {
				if r.Header.Get("X-App") != "yes" || r.Header.Get("Content-Length") != strconv.Itoa(len(first.Body)) || len(r.Header.Values("Age")) != 1 || r.Header.Get("Date") == "" {
					t.Errorf("%s: got %v", c, r.Header)
				}
				if age, _ := strconv.Atoi(r.Header.Get("Age")); age < 3 || age > 30 {
					t.Errorf("%s: got an age of %d, want 3 and a little", c, age)
				}
			}
		}
		r := a.snapshot().Apps["app"]
		if r.CacheHits != 18 || r.CacheMisses != 6 || r.CacheStores != 6 || a.made.Load() != 6 {
			t.Errorf("got %+v and %d answers", r, a.made.Load())
		}
	})
}

func TestAppsWithoutTurbocachingAnswerThemselves(t *testing.T) {
	t.Parallel()
	a := withCache(t, protocol.ProtocolHTTP, func(r *protocol.Route) { r.Turbocaching = false })
	for range 3 {
		if r := a.dial().get(answering("/", minute)); hit(r) {
			t.Errorf("got %+v", r)
		}
	}
	if n := a.made.Load(); n != 3 {
		t.Errorf("got %d answers, want 3", n)
	}
}

// Each request is sent after the answer to "GET /" was kept.
func TestWhichRequestsAreAnsweredFromTheCache(t *testing.T) {
	t.Parallel()
	a := withCache(t, protocol.ProtocolHTTP, nil)
	const tag, date = "ETag: W/\"e\"\r\n", "Last-Modified: Mon, 02 Jan 2006 15:04:05 GMT\r\n"
	for i, c := range []struct {
		method, fields string
		hit            bool
		status         int
	}{
		{"GET", "", true, 200},
		{"HEAD", "", true, 200},
		{"OPTIONS", "", false, 200},
		{"GET", "Cache-Control: no-cache\r\n", false, 200},
		{"GET", "Pragma: no-cache\r\n", false, 200},
		{"GET", "Cache-Control: foo\r\nPragma: no-cache\r\n", true, 200},
		{"GET", "Cache-Control: no-store\r\n", false, 200},
		{"GET", "Cache-Control: max-age=0\r\n", false, 200},
		{"GET", "Cache-Control: max-age=20\r\n", true, 200},
		{"GET", "Cache-Control: min-fresh=20\r\n", true, 200},
		{"GET", "Cache-Control: min-fresh=61\r\n", false, 200},
		{"GET", "Cache-Control: min-fresh=x\r\n", false, 200},
		{"GET", "Cache-Control: max-stale=60\r\n", true, 200},
		{"GET", "Cache-Control: only-if-cached\r\n", true, 200},
		{"GET", "Range: bytes=0-1\r\n", false, 200},
		{"GET", "If-Match: \"x\"\r\n", false, 200},
		{"GET", "If-None-Match: \"e\"\r\n", true, 304},
		{"GET", "If-None-Match: \"x\", W/\"e\"\r\n", true, 304},
		{"GET", "If-None-Match: *\r\n", true, 304},
		{"HEAD", "If-None-Match: \"e\"\r\n", true, 304},
		{"GET", "If-None-Match: \"x,e\"\r\n", true, 200},
		{"GET", "If-None-Match: \"x\"\r\nIf-Modified-Since: Mon, 02 Jan 2006 15:04:05 GMT\r\n", true, 200},
		{"GET", "If-Modified-Since: Mon, 02 Jan 2006 15:04:05 GMT\r\n", true, 304},
		{"GET", "If-Modified-Since: Mon, 02 Jan 2006 15:04:06 GMT\r\n", true, 304},
		{"GET", "If-Modified-Since: Mon, 02 Jan 2006 15:04:04 GMT\r\n", true, 200},
		{"GET", "If-Modified-Since: x\r\n", true, 200},
		{"GET", "Cookie: a=b\r\n", true, 200},
		{"GET", "X-Original-URL: /admin\r\n", false, 200},
		{"GET", "X-HTTP-Method-Override: DELETE\r\n", false, 200},
		{"GET", "X-Url-Scheme: https\r\n", false, 200},
		{"GET", "X_Original_URL: /admin\r\n", true, 200}, // reaches no app
		{"GET", "Content-Length: 1\r\n", false, 200},
	} {
		p, target := a.dial(), answering(fmt.Sprintf("/%d", i), minute+tag+date+"Content-Type: text/plain\r\nContent-Location: /x\r\n")
		first := p.get(target)
		send := c.fields + "\r\n"
		if strings.HasPrefix(c.fields, "Content-Length") {
			send += "x"
		}
		r := p.send(c.method + " " + target + " HTTP/1.1\r\nHost: a.test\r\n" + send).receive(c.method)
		if hit(r) != c.hit || r.Status != c.status || r.Status == 304 && r.Body != "" || r.Status == 200 && c.hit && c.method == "GET" && r.Body != first.Body {
			t.Errorf("%s %q: got %d, %q, hit %v, want %d, %v", c.method, c.fields, r.Status, r.Body, hit(r), c.status, c.hit)
		}
		if h := r.Header; r.Status == 304 && (h.Get("Etag") == "" || h.Get("Content-Type") != "" || h.Get("Content-Location") != "/x" || h.Get("Cache-Control") == "") {
			t.Errorf("%s %q: got %v", c.method, c.fields, h)
		}
	}
	// Without a Last-Modified the date of the answer counts: RFC 9111, 4.3.2.
	target := answering("/undated", minute)
	came := a.dial().get(target).Header.Get("Date")
	if r := a.dial().ask("GET", target, "If-Modified-Since: "+came+"\r\n"); !hit(r) || r.Status != 304 {
		t.Errorf("since its date: got %+v", r)
	}
	r := a.dial().ask("GET", answering("/none", minute), "Cache-Control: only-if-cached\r\n")
	if r.Status != 504 || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("only-if-cached: got %+v", r)
	}
}

func TestAnswersAreToldApart(t *testing.T) {
	t.Parallel()
	a := withCache(t, protocol.ProtocolHTTP, func(r *protocol.Route) { r.CacheCookie = "lang" })
	for what, c := range map[string]struct {
		answer, one, other string
		same               bool
	}{
		"host":              {"", "Host: a\r\n", "Host: b\r\n", false},
		"case of the host":  {"", "Host: a\r\n", "Host: A\r\n", true},
		"port":              {"", "Host: a\r\n", "Host: a:81\r\n", false},
		"cookie":            {"", "Host: a\r\nCookie: x=y; lang=de\r\n", "Host: a\r\nCookie: lang=en\r\n", false},
		"same cookie":       {"", "Host: a\r\nCookie: x=y; lang=de\r\n", "Host: a\r\nCookie: lang=de; x=z\r\n", true},
		"field":             {"", "Host: a\r\nAccept: x\r\n", "Host: a\r\nAccept: y\r\n", true},
		"varied field":      {"Vary: accept\r\n", "Host: a\r\nAccept: x\r\n", "Host: a\r\nAccept: y\r\n", false},
		"same varied field": {"Vary: b, accept\r\n", "Host: a\r\nAccept: x\r\n", "Host: a\r\nAccept: x\r\n", true},
		"two fields":        {"Vary: accept\r\n", "Host: a\r\nAccept: x\r\nAccept: y\r\n", "Host: a\r\nAccept: x, y\r\n", false},
		"missing field":     {"Vary: accept\r\n", "Host: a\r\n", "Host: a\r\nAccept: y\r\n", false},
		"both missing":      {"Vary: accept\r\n", "Host: a\r\n", "Host: a\r\n", true},
		"anything":          {"Vary: *\r\n", "Host: a\r\n", "Host: a\r\n", false},
		"anything, too":     {"Vary: accept, *\r\n", "Host: a\r\n", "Host: a\r\n", false},
	} {
		p, target := a.dial(), answering("/"+url.PathEscape(what), minute+c.answer)
		get := func(fields string) reply {
			return p.send("GET " + target + " HTTP/1.1\r\n" + fields + "\r\n").receive("GET")
		}
		get(c.one)
		if r := get(c.other); hit(r) != c.same {
			t.Errorf("%s: got hit %v, want %v", what, hit(r), c.same)
		}
		if c.answer != "Vary: *\r\n" && c.answer != "Vary: accept, *\r\n" && (!hit(get(c.one)) || !hit(get(c.other))) {
			t.Errorf("%s: not both are kept", what)
		}
	}
}

func TestTrustedClientsTellAnswersApart(t *testing.T) {
	t.Parallel()
	a := withCache(t, protocol.ProtocolSession, nil)
	p := dialPeer(t, "unix", a.unix)
	seen := map[string]bool{}
	for _, fields := range []string{
		"", "X-Forwarded-Proto: https\r\n", "X-Forwarded-Host: b\r\n", "X-Forwarded-Port: 81\r\n", "X-Forwarded-Prefix: /p\r\n", "Forwarded: host=c\r\n",
	} {
		if r := p.ask("GET", answering("/", minute), fields); hit(r) {
			t.Errorf("%q: got the answer of another", fields)
		}
		r := p.ask("GET", answering("/", minute), fields)
		if !hit(r) || seen[r.Body] {
			t.Errorf("%q: got %+v", fields, r)
		}
		seen[r.Body] = true
	}
}

func TestChangesInvalidate(t *testing.T) {
	t.Parallel()
	a := withCache(t, protocol.ProtocolHTTP, nil)
	target := answering("/a", minute)
	for _, c := range []struct {
		method, target, status, location string
		gone                             bool
	}{
		{"POST", target, "200", "", true},
		{"PUT", target, "204", "", true},
		{"DELETE", target, "303", "", true},
		{"PATCH", "http://A.test" + target, "200", "", true},
		{"FROB", target, "200", "", true},
		{"POST", target, "404", "", false},
		{"POST", target, "500", "", false},
		{"OPTIONS", target, "200", "", false},
		{"POST", "/b", "200", "", false},
		{"POST", "/b", "303", "Location: " + target, true},
		{"POST", "/b", "201", "Content-Location: " + target, true},
		{"POST", "/b", "201", "Content-Location: " + target[1:], true},
		{"POST", "/b", "303", "Location: http://A.test" + target + "#x", true},
		{"POST", "/b", "303", "Location: http://b.test" + target, false},
		{"POST", "/b", "303", "Location: //b.test" + target, false},
		{"POST", "/b", "303", "Location: ftp://a.test" + target, false},
		{"POST", "/b", "303", "Location: ://", false},
	} {
		p := a.dial()
		p.get(target)
		if !hit(p.get(target)) {
			t.Fatalf("%s is not kept", target)
		}
		r := p.ask(c.method, c.target, "X-Status: "+c.status+"\r\nX-Location: "+c.location+"\r\nContent-Length: 0\r\n")
		if want, _ := strconv.Atoi(c.status); r.Status != want {
			t.Errorf("got %d, want %s", r.Status, c.status)
		}
		if gone := !hit(p.get(target)); gone != c.gone {
			t.Errorf("%+v: gone is %v", c, gone)
		}
	}
}

// What was asked for before a change of it may be older than that.
func TestAnswersThatAChangeOvertookAreNotKept(t *testing.T) {
	t.Parallel()
	target := answering("/", minute)
	for changed, kept := range map[string]bool{target: false, "/other": true} {
		a := withCache(t, protocol.ProtocolHTTP, nil)
		a.hold = make(chan struct{})
		slow := a.dial().send("GET " + target + " HTTP/1.1\r\nHost: a.test\r\n\r\n")
		eventually(t, "the request arrives", func() bool { return a.made.Load() == 1 })
		a.dial().ask("POST", changed, "X-Status: 200\r\nContent-Length: 0\r\n")
		close(a.hold)
		slow.receive("GET")
		if r := a.dial().get(target); hit(r) != kept {
			t.Errorf("after a change of %s: got %+v, want kept %v", changed, r, kept)
		}
	}
}

func TestRestartsEmptyTheCache(t *testing.T) {
	t.Parallel()
	a := withCache(t, protocol.ProtocolHTTP, nil)
	other := start(t, protocol.ProtocolHTTP, 0, a.answer)
	target := answering("/", minute)
	again := func(f *fake, change func(*protocol.Route)) protocol.Route {
		r := route(a.fake)
		r.Turbocaching = true
		change(&r)
		return r
	}
	for what, r := range map[string]protocol.Route{
		"generation": again(a.fake, func(r *protocol.Route) { r.Generation = 7 }),
		"process":    again(a.fake, func(r *protocol.Route) { r.Processes = append(r.Processes, other.route) }),
		"draining": again(a.fake, func(r *protocol.Route) {
			r.Processes = append(r.Processes, other.route)
			r.Processes[0].Draining = true
		}),
		"cookie": again(a.fake, func(r *protocol.Route) { r.CacheCookie = "x" }),
		"off":    again(a.fake, func(r *protocol.Route) { r.Turbocaching = false }),
	} {
		a.set(again(a.fake, func(*protocol.Route) {}))
		p := a.dial()
		p.get(target)
		a.set(again(a.fake, func(r *protocol.Route) { r.QueueSize = 7 }))
		if !hit(p.get(target)) {
			t.Fatalf("%s: the answer is not kept", what)
		}
		a.set(r)
		if hit(p.get(target)) {
			t.Errorf("%s: got an answer from before", what)
		}
	}
	// A process that comes or goes answers as others of its generation do.
	of := func(generation int, processes ...protocol.RouteProcess) protocol.Route {
		return again(a.fake, func(r *protocol.Route) { r.Generation, r.Processes = generation, processes })
	}
	first, second, newer := a.fake.route, other.route, other.route
	first.Generation, second.Generation, newer.Generation = 1, 1, 2
	draining := first
	draining.Draining = true
	for i, c := range []struct {
		route protocol.Route
		kept  bool
	}{
		{of(1, first), false}, {of(1, first, second), true}, {of(1, draining, second), true}, {of(1), true}, {of(1, first), true},
		{of(2, first, newer), false}, {of(2, draining, newer), false}, {of(2, newer), true}, {of(3, newer), false}, {of(3), false},
	} {
		a.set(c.route)
		p := a.dial()
		asked := "Cache-Control: only-if-cached\r\n"
		if r := p.ask("GET", target, asked); hit(r) != c.kept {
			t.Errorf("%d: got %+v, want kept %v", i, r, c.kept)
		}
		if len(c.route.Processes) > 0 {
			p.get(target)
		}
	}
	a.set()
	if n := a.cached.Load(); n != 0 {
		t.Errorf("%d bytes are kept of an app that was removed", n)
	}
}

// A herd that finds an answer stale asks the app once.
func TestStaleAnswersAreFetchedOnce(t *testing.T) {
	t.Parallel()
	a := withCache(t, protocol.ProtocolHTTP, nil)
	target := answering("/", "Cache-Control: max-age=1\r\n")
	a.dial().get(target)
	eventually(t, "the answer is stale", func() bool {
		return a.dial().ask("GET", target, "Cache-Control: only-if-cached\r\n").Status == http.StatusGatewayTimeout
	})
	a.hold = make(chan struct{})
	release := sync.OnceFunc(func() { close(a.hold) })
	defer release() // else a test that fails hangs
	began := time.Now()
	var herd sync.WaitGroup
	for range 20 {
		p := a.dial()
		herd.Go(func() { p.get(target) })
	}
	eventually(t, "one asks", func() bool { return a.made.Load() >= 2 }) // more where the machine stood still
	release()
	herd.Wait()
	r := a.dial().get(target)
	if time.Since(began) > time.Second {
		return // the machine stood still: the second answer is stale, or patience ended
	}
	if n := a.made.Load(); n != 2 {
		t.Errorf("the app was asked %d times, want 2", n)
	}
	if !hit(r) || !strings.HasPrefix(r.Body, "2 ") {
		t.Errorf("got %+v, want the second answer", r)
	}
}

// The cache changes no answer that it may not: whatever the order, the same
// requests have the same answers with it and without it.
func TestTheCacheIsInvisible(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 5))
			with, without := newShop(t, true), newShop(t, false)
			hits := 0
			for range 2000 {
				method, target, fields := anyRequest(random)
				got, want := with.ask(method, target, fields), without.ask(method, target, fields)
				if hit(got) {
					hits++
				}
				// A 304 may have fewer fields, and Age and Date are the cache's.
				for _, name := range []string{"Age", "Cache-Status", "Date"} {
					got.Header.Del(name)
					want.Header.Del(name)
				}
				if got.Status != want.Status || got.Body != want.Body || got.Status != 304 && fmt.Sprint(got.Header) != fmt.Sprint(want.Header) {
					t.Fatalf("%s %s %q:\ngot  %d %q %v\nwant %d %q %v", method, target, fields, got.Status, got.Body, got.Header, want.Status, want.Body, want.Header)
				}
			}
			if hits < 100 {
				t.Errorf("only %d hits prove nothing", hits)
			}
		})
	}
}

// newShop is a client of an app whose pages depend on what their Vary and
// Cache-Control admit, and change with each POST.
func newShop(t *testing.T, cached bool) *peer {
	version := map[string]int{}
	f := start(t, protocol.ProtocolHTTP, 1, func(c *call) bool {
		io.Copy(io.Discard, c.Body)
		u, _ := url.Parse(c.Target)
		page := u.Path
		if c.Method == "POST" {
			version[page]++
			c.reply("HTTP/1.1 303 See Other\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", page)
			return true
		}
		text := fmt.Sprintf("%s %d %s", page, version[page], c.header("Host"))
		fields := "Cache-Control: max-age=600\r\n"
		switch page {
		case "/vary":
			fields += "Vary: Accept-Language\r\n"
			text += c.header("Accept-Language")
		case "/private":
			fields = "Cache-Control: private, max-age=600\r\n"
			text += c.header("Authorization") + c.header("Cookie")
		case "/login":
			fields += "Set-Cookie: id=7\r\n"
			text += c.header("Cookie")
		case "/basic":
			text += c.header("Authorization")
			if c.header("Authorization") == "" {
				fields = "Cache-Control: no-store\r\n"
			}
		case "/plain":
			fields = ""
			text += c.header("Cookie")
		case "/cookie":
			text += c.header("Cookie")
		}
		tag := fmt.Sprintf("\"%x\"", text)
		status := "200 OK"
		if c.header("If-None-Match") == tag {
			c.reply("HTTP/1.1 304 Not Modified\r\nETag: %s\r\n%s\r\n", tag, fields)
			return true
		}
		if v := c.header("Range"); v != "" {
			text, status = text[:2], "206 Partial Content"
			fields += "Content-Range: bytes 0-1/9\r\n"
		}
		body := text
		if c.Method == "HEAD" {
			body = ""
		}
		c.reply("HTTP/1.1 %s\r\nETag: %s\r\n%sContent-Length: %d\r\n\r\n%s", status, tag, fields, len(text), body)
		return true
	})
	r := route(f)
	r.Turbocaching, r.CacheCookie = cached, "id"
	return serve(t, Config{}, r).dial()
}

func anyRequest(random *rand.Rand) (method, target, fields string) {
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	method = pick("GET", "GET", "GET", "GET", "HEAD", "POST")
	target = pick("/", "/vary", "/private", "/login", "/basic", "/plain", "/cookie")
	if method == "POST" {
		if random.IntN(4) > 0 {
			method = "GET"
		} else {
			return method, target, "Content-Length: 0\r\n"
		}
	}
	for _, f := range []string{
		pick("Accept-Language: de", "Accept-Language: en", "Accept-Language: de\r\nAccept-Language: en"),
		pick("Authorization: a", "Authorization: b"), pick("Cookie: id=1", "Cookie: id=2"), "Range: bytes=0-1",
		pick("Cache-Control: no-cache", "Cache-Control: no-store", "Cache-Control: max-age=0", "Pragma: no-cache"),
		pick("If-None-Match: \"2f203020612e74657374\"", "If-None-Match: \"x\""),
	} {
		if random.IntN(5) == 0 {
			fields += f + "\r\n"
		}
	}
	return method, target, fields
}

func TestHitsAllocateNothing(t *testing.T) {
	if racing {
		t.Skip("the race detector makes sync.Pool forget")
	}
	f := start(t, protocol.ProtocolHTTP, 0, func(c *call) bool {
		c.reply("HTTP/1.1 200 OK\r\n" + minute + "Content-Length: 5\r\n\r\nhello")
		return true
	})
	r := route(f)
	r.Turbocaching = true
	s := serve(t, Config{}, r)
	newRoundTrip(t, s)
	trip := newRoundTrip(t, s)
	if n := testing.AllocsPerRun(2000, func() { trip.do(t) }); n > 0 {
		t.Errorf("got %v allocations per hit, want 0", n)
	}
	if n := f.requests.Load(); n != 1 {
		t.Errorf("the process got %d requests, want 1", n)
	}
}
