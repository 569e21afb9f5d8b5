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

	"passenger/lib/http1"
	"passenger/lib/protocol"
)

func headOf(t testing.TB, first, fields string) (q http1.Request, r http1.Response) {
	t.Helper()
	q.Reset()
	r.Reset()
	var done bool
	var err error
	if strings.HasPrefix(first, "HTTP/") {
		done, err = r.Parse([]byte(first + "\r\n" + fields + "\r\n"))
	} else {
		done, err = q.Parse([]byte(first + "\r\nHost: a\r\n" + fields + "\r\n"))
	}
	if !done || err != nil {
		t.Fatalf("%s %q: %v, %v", first, fields, done, err)
	}
	return q, r
}

func TestWhatMayBeKept(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	const never = -1
	for _, c := range []struct {
		request, status, response string
		want                      int64 // seconds that it is fresh for from now
	}{
		{"", "200", "Cache-Control: max-age=60\r\n", 60},
		{"", "200", "cache-control: MAX-AGE=60\r\n", 60},
		{"", "200", "Cache-Control: max-age=\"60\"\r\n", 60},
		{"", "200", "Cache-Control: foo=\"bar, max-age=5\", max-age=60\r\n", 60},
		{"", "200", "Cache-Control: max-age=60, s-maxage=5\r\n", 5},
		{"", "200", "Cache-Control: s-maxage=0, max-age=60\r\n", never},
		{"", "200", "Cache-Control: max-age=60, max-age=10\r\n", 10},
		{"", "200", "Cache-Control: max-age=60\r\nCache-Control: max-age=10\r\n", 10},
		{"", "200", "Cache-Control: max-age=x\r\n", never},
		{"", "200", "Cache-Control: max-age=-1\r\n", never},
		{"", "200", "Cache-Control: max-age=99999999999999999999\r\n", mostSecond},
		{"", "200", "Cache-Control: max-age=0\r\nExpires: " + at(time.Hour) + "\r\n", never},
		{"", "200", "Expires: " + at(time.Minute) + "\r\nDate: " + at(0) + "\r\n", 60},
		{"", "200", "Expires: " + at(time.Minute) + "\r\nDate: " + at(-time.Minute) + "\r\n", 60},
		{"", "200", "Expires: 0\r\n", never},
		{"", "200", "Expires: " + strings.Replace(at(time.Minute), " ", "  ", 1) + "\r\n", never},
		{"", "200", "Expires: " + time.Now().AddDate(1, 0, 0).UTC().Format("Mon, 02 Jan 2006") + " 1:02:03 GMT\r\n", never},
		{"", "200", "Expires: " + strings.Replace(at(time.Minute), "GMT", "PST", 1) + "\r\n", never},
		{"", "200", "Expires: " + at(time.Minute) + "\r\nExpires: " + at(time.Minute) + "\r\n", never},
		{"", "200", "Cache-Control: max-age=60\r\nAge: 20\r\n", 40},
		{"", "200", "Cache-Control: max-age=60\r\nAge: 60\r\n", never},
		{"", "200", "Cache-Control: max-age=60\r\nAge: x\r\n", never},
		{"", "200", "Cache-Control: max-age=60\r\nAge: 0\r\nAge: 0\r\n", never},
		{"", "200", "Cache-Control: max-age=60\r\nDate: " + at(-45*time.Second) + "\r\nAge: 20\r\n", 15},
		{"", "200", "Cache-Control: max-age=60\r\nDate: " + at(time.Hour) + "\r\n", 60},
		{"", "200", "Cache-Control: public\r\n", never},
		{"", "200", "Cache-Control: public\r\nLast-Modified: " + at(-1000*time.Second) + "\r\n", never},
		{"", "200", "Last-Modified: " + at(-1000*time.Second) + "\r\n", never},
		{"", "200", "", never},
		{"", "200", "Cache-Control: no-transform\r\n", never},
		{"", "200", "Cache-Control: max-age=60, private\r\n", never},
		{"", "200", "Cache-Control: max-age=60, private=\"set-cookie\"\r\n", never},
		{"", "200", "Cache-Control: max-age=60, no-store\r\n", never},
		{"", "200", "Cache-Control: max-age=60, No-Cache\r\n", never},
		{"", "200", "Cache-Control: max-age=60\r\nCache-Control: no-cache\r\n", never},
		{"", "200", "Pragma: no-cache\r\nExpires: " + at(time.Minute) + "\r\n", never},
		{"", "200", "Cache-Control: max-age=60\r\nSet-Cookie: a=b\r\n", never},
		{"", "200", "Cache-Control: max-age=60\r\nWWW-Authenticate: Basic\r\n", never},
		{"", "200", "Cache-Control: max-age=60\r\nX-Sendfile: /a\r\n", never},
		{"", "200", "Cache-Control: max-age=60\r\nX-Accel-Redirect: /a\r\n", never},
		{"", "200", "Cache-Control: max-age=60\r\nTrailer: x\r\n", never},
		{"", "200", "Cache-Control: max-age=60\r\nContent-Length: 32768\r\n", 60},
		{"", "200", "Cache-Control: max-age=60\r\nContent-Length: 32769\r\n", never},
		{"", "200", "Cache-Control: max-age=60\r\nX: " + strings.Repeat("x", 5000) + "\r\n", never},
		{"", "206", "Cache-Control: max-age=60\r\n", never},
		{"", "302", "Cache-Control: max-age=60\r\n", never},
		{"", "304", "Cache-Control: max-age=60\r\n", never},
		{"", "404", "Cache-Control: max-age=60\r\n", 60},
		{"", "500", "Cache-Control: max-age=60\r\n", never},
		{"Cache-Control: no-store\r\n", "200", "Cache-Control: max-age=60\r\n", never},
		{"Cache-Control: no-cache\r\n", "200", "Cache-Control: max-age=60\r\n", 60},
		{"Authorization: x\r\n", "200", "Cache-Control: max-age=60\r\n", never},
		{"Authorization: x\r\n", "200", "Cache-Control: max-age=60, public\r\n", 60},
		{"Authorization: x\r\n", "200", "Cache-Control: s-maxage=60\r\n", 60},
		{"Authorization: x\r\n", "200", "Cache-Control: max-age=60, must-revalidate\r\n", 60},
	} {
		q, _ := headOf(t, "GET / HTTP/1.1", c.request)
		_, r := headOf(t, "HTTP/1.1 "+c.status+" x", c.response)
		f, ok := storable(&q, controlOf(&q.Head), &r, now, now)
		if got := f.lifetime - f.age; !ok && c.want != never || ok && got != c.want {
			t.Errorf("%q answered %s %.80q: got %v, %d, want %d", c.request, c.status, c.response, ok, got, c.want)
		}
	}
	// What took long is that old at least.
	q, _ := headOf(t, "GET / HTTP/1.1", "")
	_, r := headOf(t, "HTTP/1.1 200 OK", "Cache-Control: max-age=60\r\n")
	if f, _ := storable(&q, controlOf(&q.Head), &r, now.Add(-7*time.Second), now); f.age != 7 {
		t.Errorf("got an age of %d, want 7", f.age)
	}
}

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

func TestChangesAreRememberedForAWhile(t *testing.T) {
	t.Parallel()
	var c changes
	c.note("a")
	if !c.since(0, "a") || c.since(1, "a") || c.since(0, "b") {
		t.Error("one change is not what it was of")
	}
	for range remembered {
		c.note("a")
	}
	if !c.since(0, "b") || c.since(1, "b") {
		t.Error("what is forgotten must count as changed, and nothing else")
	}
	c.noteAll()
	if n := c.count; !c.since(n-1, "b") || c.since(n, "b") {
		t.Error("everything changed, once")
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

// lookupFor is a lookup of its own, for tests of a cache without a proxy.
func lookupFor(t testing.TB, c *cache, uri string) *lookup {
	q, _ := headOf(t, "GET / HTTP/1.1", "")
	return &lookup{cache: c, req: &q, asked: controlOf(&q.Head), uri: []byte(uri), variant: []byte("v")}
}

func keep(t testing.TB, c *cache, uri string, size int, now time.Time) *entry {
	l := lookupFor(t, c, uri)
	if e, _ := c.find(l, now); e != nil {
		t.Fatalf("%s is kept already", uri)
	}
	e := &entry{uri: uri, variant: "v", body: make([]byte, size), freshness: freshness{lifetime: 10}, came: now}
	c.add(l, e)
	c.settle(l)
	return e
}

func TestTheCacheIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var total atomic.Int64
	c := newCache(&total)
	c.keepFor("a")
	for i := range 5000 {
		keep(t, c, strconv.Itoa(i), 100, now)
		if i >= 10 {
			// What is used stays.
			if e, _ := c.find(lookupFor(t, c, "7"), now); e == nil {
				t.Fatalf("after %d entries the used one is gone", i)
			}
		}
	}
	if c.count != maxEntries || len(c.byURI) != maxEntries || c.bytes != total.Load() {
		t.Errorf("got %d entries, %d URIs, %d bytes of %d", c.count, len(c.byURI), c.bytes, total.Load())
	}
	for i := range 1000 {
		keep(t, c, "big"+strconv.Itoa(i), maxCachedBody, now)
		if c.bytes > maxAppCached {
			t.Fatalf("got %d bytes, want no more than %d", c.bytes, maxAppCached)
		}
	}
	// Other apps have nearly all there is.
	total.Add(maxCached - total.Load())
	keep(t, c, "last", 100, now)
	if e, _ := c.find(lookupFor(t, c, "last"), now); e == nil || total.Load() > maxCached {
		t.Errorf("got %v, %d bytes of %d", e, total.Load(), maxCached)
	}
	total.Add(2 * maxCached)
	keep(t, c, "none", 100, now)
	if c.count != 0 || c.bytes != 0 || c.oldest != nil || c.newest != nil {
		t.Errorf("got %d entries, %d bytes, want none", c.count, c.bytes)
	}
	for i := range 3 * maxVariants {
		l := lookupFor(t, c, "u")
		l.variant = []byte(strconv.Itoa(i))
		total.Store(0)
		c.find(l, now)
		c.add(l, &entry{uri: "u", variant: string(l.variant), freshness: freshness{lifetime: 10}, came: now})
	}
	if c.count != maxVariants || len(c.byURI) != 1 {
		t.Errorf("got %d variants of %d URIs, want %d of 1", c.count, len(c.byURI), maxVariants)
	}
}

func TestAnswersAgeAndAreFetchedOnce(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var total atomic.Int64
	c := newCache(&total)
	c.keepFor("a")
	keep(t, c, "u", 1, now)
	for age, fresh := range map[time.Duration]bool{0: true, 9999 * time.Millisecond: true, 10 * time.Second: false, time.Hour: false} {
		l := lookupFor(t, c, "u")
		if e, _ := c.find(l, now.Add(age)); (e != nil) != fresh || e != nil && e.ageAt(now.Add(age)) != int64(age/time.Second) {
			t.Errorf("after %v: got %v, want fresh %v", age, e, fresh)
		}
		c.settle(l)
	}
	// The first that finds it stale fetches, the others wait for that.
	later := now.Add(time.Minute)
	first, second := lookupFor(t, c, "u"), lookupFor(t, c, "u")
	if _, wait := c.find(first, later); wait != nil || first.fetching == nil {
		t.Fatal("the first does not fetch it")
	}
	_, wait := c.find(second, later)
	if wait == nil || second.fetching != nil {
		t.Fatal("the second does not wait")
	}
	c.add(first, &entry{uri: "u", variant: "v", freshness: freshness{lifetime: 10}, came: later})
	select {
	case <-wait:
		t.Error("the second waits no more before the first is done")
	default:
	}
	c.settle(first)
	<-wait
	if e, _ := c.find(second, later); e == nil {
		t.Error("the second finds nothing")
	}
	// One that nobody keeps any more holds nobody either.
	again := lookupFor(t, c, "u")
	c.find(again, later.Add(time.Minute))
	c.invalidate("u")
	if _, wait := c.find(second, later.Add(time.Minute)); wait != nil {
		t.Error("somebody waits for what was forgotten")
	}
	c.settle(again)
}

// A herd that finds an answer stale asks the app once.
func TestStaleAnswersAreFetchedOnce(t *testing.T) {
	t.Parallel()
	a := withCache(t, protocol.ProtocolHTTP, nil)
	target := answering("/", minute)
	a.dial().get(target)
	c := a.index.Load().mounts[0].cache
	c.mu.Lock()
	for _, e := range c.byURI {
		e.came = e.came.Add(-2 * time.Minute) // nobody has it yet
	}
	c.mu.Unlock()
	a.hold = make(chan struct{})
	began := time.Now()
	var herd sync.WaitGroup
	for range 20 {
		p := a.dial()
		herd.Go(func() { p.get(target) })
	}
	eventually(t, "one asks", func() bool { return a.made.Load() == 2 })
	close(a.hold)
	herd.Wait()
	// Nobody's patience ends but on a machine that stood still.
	if n := a.made.Load(); n != 2 && time.Since(began) < fetchPatience {
		t.Errorf("the app was asked %d times, want 2", n)
	}
	if r := a.dial().get(target); !hit(r) || !strings.HasPrefix(r.Body, "2 ") {
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

func FuzzCacheControl(f *testing.F) {
	for _, s := range []string{"", "max-age=60", "private=\"a, b\", max-age=1", "\"", "a=\"\\\"\", no-store", ",,=,;", "max-age=99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		d := directives{maxAge: unset, sharedAge: unset, minFresh: unset}
		d.add([]byte(list))
		if d.maxAge < unset || d.maxAge > mostSecond || d.sharedAge < unset || d.minFresh < unset {
			t.Fatalf("%q: got %+v", list, d)
		}
		// What comes first counts whatever follows it.
		d = directives{maxAge: unset, sharedAge: unset, minFresh: unset}
		if d.add([]byte("no-store, max-age=0," + list)); !d.noStore || d.maxAge != 0 {
			t.Fatalf("%q hides what is before it: %+v", list, d)
		}
	})
}
