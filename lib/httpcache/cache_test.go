package httpcache

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"passenger/lib/http1"
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

// lookupFor is a lookup of its own, for tests of a cache without a proxy.
func lookupFor(t testing.TB, c *Cache, uri string) *Lookup {
	q, _ := headOf(t, "GET / HTTP/1.1", "")
	return &Lookup{cache: c, req: &q, asked: controlOf(&q.Head), uri: []byte(uri), variant: []byte("v")}
}

func keep(t testing.TB, c *Cache, uri string, size int, now time.Time) *Entry {
	l := lookupFor(t, c, uri)
	if e, _ := c.find(l, now); e != nil {
		t.Fatalf("%s is kept already", uri)
	}
	e := &Entry{uri: uri, variant: "v", body: make([]byte, size), freshness: freshness{lifetime: 10}, came: now}
	c.add(l, e)
	c.release(l)
	return e
}

func TestTheCacheIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var total atomic.Int64
	c := New(&total)
	c.KeepFor("a")
	for i := range 5000 {
		keep(t, c, strconv.Itoa(i), 100, now)
		if i >= 10 {
			// What is used stays.
			if e, _ := c.find(lookupFor(t, c, "7"), now); e == nil {
				t.Fatalf("after %d entries the used one is gone", i)
			}
		}
	}
	if c.used.Len() != maxEntries || len(c.byURI) != maxEntries || c.bytes != total.Load() {
		t.Errorf("got %d entries, %d URIs, %d bytes of %d", c.used.Len(), len(c.byURI), c.bytes, total.Load())
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
	if c.used.Len() != 0 || c.bytes != 0 || c.used.Last() != nil || c.used.First() != nil {
		t.Errorf("got %d entries, %d bytes, want none", c.used.Len(), c.bytes)
	}
	for i := range 3 * maxVariants {
		l := lookupFor(t, c, "u")
		l.variant = []byte(strconv.Itoa(i))
		total.Store(0)
		c.find(l, now)
		c.add(l, &Entry{uri: "u", variant: string(l.variant), freshness: freshness{lifetime: 10}, came: now})
	}
	if c.used.Len() != maxVariants || len(c.byURI) != 1 {
		t.Errorf("got %d variants of %d URIs, want %d of 1", c.used.Len(), len(c.byURI), maxVariants)
	}
}

func TestAnswersAgeAndAreFetchedOnce(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var total atomic.Int64
	c := New(&total)
	c.KeepFor("a")
	keep(t, c, "u", 1, now)
	for age, fresh := range map[time.Duration]bool{0: true, 9999 * time.Millisecond: true, 10 * time.Second: false, time.Hour: false} {
		l := lookupFor(t, c, "u")
		if e, _ := c.find(l, now.Add(age)); (e != nil) != fresh || e != nil && e.ageAt(now.Add(age)) != int64(age/time.Second) {
			t.Errorf("after %v: got %v, want fresh %v", age, e, fresh)
		}
		c.release(l)
	}
	// The first that finds it stale fetches, the others wait for that.
	later := now.Add(time.Minute)
	first, second := lookupFor(t, c, "u"), lookupFor(t, c, "u")
	never := lookupFor(t, c, "u")
	never.usable, never.asked.ifCache = true, true
	if _, wait := c.find(never, later); wait != nil || never.fetching != nil {
		t.Error("others wait for a request that asks no process")
	}
	if _, wait := c.find(first, later); wait != nil || first.fetching == nil {
		t.Fatal("the first does not fetch it")
	}
	_, wait := c.find(second, later)
	if wait == nil || second.fetching != nil {
		t.Fatal("the second does not wait")
	}
	c.add(first, &Entry{uri: "u", variant: "v", freshness: freshness{lifetime: 10}, came: later})
	select {
	case <-wait:
		t.Error("the second waits no more before the first is done")
	default:
	}
	c.release(first)
	<-wait
	if e, _ := c.find(second, later); e == nil {
		t.Error("the second finds nothing")
	}
	// An entry that is not kept any more makes no request wait either.
	again := lookupFor(t, c, "u")
	c.find(again, later.Add(time.Minute))
	c.invalidate("u")
	if _, wait := c.find(second, later.Add(time.Minute)); wait != nil {
		t.Error("a request waits for what was forgotten")
	}
	c.release(again)
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
