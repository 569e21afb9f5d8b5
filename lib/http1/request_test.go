package http1

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parseRequest(t *testing.T, text string) (*Request, bool, error) {
	t.Helper()
	r := &Request{}
	r.Reset()
	done, err := r.Parse([]byte(text))
	return r, done, err
}

func TestMalformedRequestsAreRefused(t *testing.T) {
	t.Parallel()
	const host = "Host: a.test\r\n"
	long := strings.Repeat("a", MaxRequestLine)
	for _, c := range []struct {
		name, text string
		status     int
	}{
		{"no version", "GET /\r\n\r\n", 400},
		{"two blanks", "GET  / HTTP/1.1\r\n" + host + "\r\n", 400},
		{"blank at the end", "GET / HTTP/1.1 \r\n" + host + "\r\n", 400},
		{"tab for a blank", "GET\t/ HTTP/1.1\r\n" + host + "\r\n", 400},
		{"lower-case protocol", "GET / http/1.1\r\n" + host + "\r\n", 400},
		{"two-digit version", "GET / HTTP/1.10\r\n" + host + "\r\n", 400},
		{"version 1.2", "GET / HTTP/1.2\r\n" + host + "\r\n", 505},
		{"version 2.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"no method", " / HTTP/1.1\r\n" + host + "\r\n", 400},
		{"method with a colon", "G:T / HTTP/1.1\r\n" + host + "\r\n", 400},
		{"method without end", strings.Repeat("G", 100), 400},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00", 400},
		{"CONNECT", "CONNECT a.test:443 HTTP/1.1\r\n" + host + "\r\n", 501},
		{"long target", "GET /" + long + " HTTP/1.1\r\n" + host + "\r\n", 414},
		{"long target without end", "GET /" + long, 414},
		{"blank in the target", "GET /a b HTTP/1.1\r\n" + host + "\r\n", 400},
		{"NUL in the target", "GET /a\x00b HTTP/1.1\r\n" + host + "\r\n", 400},
		{"non-ASCII host in the target", "GET http://\xc3\xa9/ HTTP/1.1\r\n\r\n", 400},
		{"DEL in the target", "GET /\x7f HTTP/1.1\r\n" + host + "\r\n", 400},
		{"target too long once it is encoded", "GET /" + strings.Repeat("\xff", MaxRequestLine/2) + " HTTP/1.1\r\n" + host + "\r\n", 414},
		{"fragment", "GET /a#b HTTP/1.1\r\n" + host + "\r\n", 400},
		{"star for GET", "GET * HTTP/1.1\r\n" + host + "\r\n", 400},
		{"relative target", "GET a HTTP/1.1\r\n" + host + "\r\n", 400},
		{"another scheme", "GET ftp://a.test/ HTTP/1.1\r\n" + host + "\r\n", 400},
		{"userinfo", "GET http://u@a.test/ HTTP/1.1\r\n" + host + "\r\n", 400},
		{"another host than the target's", "GET http://b.test/ HTTP/1.1\r\n" + host + "\r\n", 400},
		{"another port than the target's", "GET http://a.test:443/ HTTP/1.1\r\n" + host + "\r\n", 400},
		{"unix target", "GET unix:/x|http://y HTTP/1.1\r\n" + host + "\r\n", 400},
		{"bare LF", "GET / HTTP/1.1\nHost: a.test\n\n", 400},
		{"bare LF in the header", "GET / HTTP/1.1\r\nHost: a.test\nX: y\r\n\r\n", 400},
		{"bare CR in a value", "GET / HTTP/1.1\r\n" + host + "X: a\rb\r\n\r\n", 400},
		{"bare CR in the line", "GET /\r HTTP/1.1\r\n" + host + "\r\n", 400},
		{"NUL in a value", "GET / HTTP/1.1\r\n" + host + "X: a\x00b\r\n\r\n", 400},
		{"control in a value", "GET / HTTP/1.1\r\n" + host + "X: 12345678\x7f\r\n\r\n", 400},
		{"folding", "GET / HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n", 400},
		{"folding at once", "GET / HTTP/1.1\r\n " + host + "\r\n", 400},
		{"blank before the colon", "GET / HTTP/1.1\r\n" + host + "X : a\r\n\r\n", 400},
		{"no name", "GET / HTTP/1.1\r\n" + host + ": a\r\n\r\n", 400},
		{"no colon", "GET / HTTP/1.1\r\n" + host + "X\r\n\r\n", 400},
		{"bad name", "GET / HTTP/1.1\r\n" + host + "X(y): a\r\n\r\n", 400},
		{"name with NUL", "GET / HTTP/1.1\r\n" + host + "X\x00: a\r\n\r\n", 400},
		{"name with bytes over 127", "GET / HTTP/1.1\r\n" + host + "X\xa0: a\r\n\r\n", 400},
		{"two lengths", "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
		{"the same length twice", "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\ncontent-length: 1\r\n\r\n", 400},
		{"length list", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5,5\r\n\r\n", 400},
		{"length with sign", "POST / HTTP/1.1\r\n" + host + "Content-Length: +5\r\n\r\n", 400},
		{"negative length", "POST / HTTP/1.1\r\n" + host + "Content-Length: -5\r\n\r\n", 400},
		{"hexadecimal length", "POST / HTTP/1.1\r\n" + host + "Content-Length: 0x5\r\n\r\n", 400},
		{"empty length", "POST / HTTP/1.1\r\n" + host + "Content-Length:\r\n\r\n", 400},
		{"huge length", "POST / HTTP/1.1\r\n" + host + "Content-Length: 18446744073709551617\r\n\r\n", 400},
		{"length with underscore", "POST / HTTP/1.1\r\n" + host + "Content-Length: 1_0\r\n\r\n", 400},
		{"length and coding", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"coding twice", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"coding list", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
		{"chunked not last", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, identity\r\n\r\n", 400},
		{"unknown coding last", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n", 400},
		{"unknown coding first", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
		{"odd blank in the coding", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \x0bchunked\r\n\r\n", 400},
		{"no-break space in the coding", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \xa0chunked\r\n\r\n", 400},
		{"empty coding", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding:\r\n\r\n", 400},
		{"coding in 1.0", "POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n", 400},
		{"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"two Hosts", "GET / HTTP/1.1\r\n" + host + host + "\r\n", 400},
		{"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
		{"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
		{"Host with userinfo", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
		{"Host list", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
		{"bad port", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400},
		{"large port", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400},
		{"other Expect", "GET / HTTP/1.1\r\n" + host + "Expect: x\r\n\r\n", 417},
		{"another Expect behind it", "GET / HTTP/1.1\r\n" + host + "Expect: 100-continue, x\r\n\r\n", 417},
		{"many fields", "GET / HTTP/1.1\r\n" + host + strings.Repeat("X: y\r\n", MaxFields) + "\r\n", 431},
		{"long header", "GET / HTTP/1.1\r\n" + host + strings.Repeat("X: "+long+"\r\n", 4) + "\r\n", 431},
		{"length with a leading zero", "POST / HTTP/1.1\r\n" + host + "Content-Length: 010\r\n\r\n12345678", 400},
		{"two types", "POST / HTTP/1.1\r\n" + host + "Content-Type: text/plain\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n", 400},
		{"header line without end", "GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("a", MaxHead), 431},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, done, err := parseRequest(t, c.text)
			var e *Error
			if !errors.As(err, &e) || e.Status != c.status {
				t.Errorf("got done=%v, %v; want status %d", done, err, c.status)
			}
		})
	}
}

type view struct {
	Method, Target, Path, Query, Host             string
	Length                                        int64
	Chunked, KeepAlive, Upgrade, Continue, Query0 bool
}

func TestRequestsAreUnderstood(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want view
	}{
		{"GET /a/b?c=d HTTP/1.1\r\nHost: a.test:80\r\n\r\n", view{"GET", "/a/b?c=d", "/a/b", "c=d", "a.test:80", -1, false, true, false, false, false}},
		{"\r\nGET / HTTP/1.1\r\nHost:\ta.test \r\n\r\n", view{"GET", "/", "/", "", "a.test", -1, false, true, false, false, true}},
		{"GET / HTTP/1.0\r\n\r\n", view{"GET", "/", "/", "", "", -1, false, false, false, false, true}},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", view{"GET", "/", "/", "", "", -1, false, true, false, false, true}},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\n", view{"GET", "/", "/", "", "", 2, false, false, false, false, true}},
		{"HEAD / HTTP/1.0\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\n", view{"HEAD", "/", "/", "", "", 2, false, false, false, false, true}},
		{"DELETE / HTTP/1.0\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\n", view{"DELETE", "/", "/", "", "", 2, false, false, false, false, true}},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", view{"GET", "/", "/", "", "", 0, false, true, false, false, true}},
		{"POST / HTTP/1.0\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\n", view{"POST", "/", "/", "", "", 2, false, true, false, false, true}},
		{"GET / HTTP/1.1\r\nHost: [::1]:3000\r\nConnection: x, close\r\n\r\n", view{"GET", "/", "/", "", "[::1]:3000", -1, false, false, false, false, true}},
		{"GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:255.255.255.255]\r\n\r\n", view{"GET", "/", "/", "", "[1:2:3:4:5:6:255.255.255.255]", -1, false, true, false, false, true}},
		{"GET http://b.test?q HTTP/1.1\r\nHost: B.test:80\r\n\r\n", view{"GET", "http://b.test?q", "/", "q", "b.test", -1, false, true, false, false, false}},
		{"GET HTTPS://b.test:8/%2e%2e//;x?a?b HTTP/1.1\r\nHost: b.test:8\r\n\r\n", view{"GET", "HTTPS://b.test:8/%2e%2e//;x?a?b", "/%2e%2e//;x", "a?b", "b.test:8", -1, false, true, false, false, false}},
		{"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", view{"OPTIONS", "*", "*", "", "a.test", -1, false, true, false, false, true}},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nExpect: 100-Continue\r\n\r\n", view{"POST", "/", "/", "", "a", 7, false, true, false, true, true}},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nExpect:\r\n\r\n", view{"POST", "/", "/", "", "a", 7, false, true, false, false, true}},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nExpect: , 100-continue,\r\n\r\n", view{"POST", "/", "/", "", "a", 7, false, true, false, true, true}},
		{"GET /\xc3\xa9%20?\xff=\x80 HTTP/1.1\r\nHost: a\r\n\r\n", view{"GET", "/%C3%A9%20?%FF=%80", "/%C3%A9%20", "%FF=%80", "a", -1, false, true, false, false, false}},
		{"GET http://a/\xe9?b HTTP/1.1\r\nHost: a\r\n\r\n", view{"GET", "http://a/\xe9?b", "/%E9", "b", "a", -1, false, true, false, false, false}},
		{"POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: Chunked\r\n\r\n", view{"POST", "/", "/", "", "a", -1, true, true, false, false, true}},
		{"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n", view{"GET", "/", "/", "", "a", -1, false, true, true, false, true}},
	} {
		r, done, err := parseRequest(t, c.text+"rest")
		if err != nil || !done {
			t.Errorf("%q: got %v, %v", c.text, done, err)
			continue
		}
		got := view{string(r.Method), string(r.Target), string(r.Path), string(r.Query), string(r.Host), r.ContentLength,
			r.Chunked, r.KeepAlive, r.AsksUpgrade, r.Continue, r.Query == nil}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.text, diff)
		}
		if r.Len != len(c.text) {
			t.Errorf("%q: got length %d, want %d", c.text, r.Len, len(c.text))
		}
	}
}

func TestFieldsAreKnownByNameInAnyCase(t *testing.T) {
	t.Parallel()
	for _, n := range names {
		for _, text := range []string{n.text, strings.ToUpper(n.text)} {
			if got := nameOf([]byte(text)); got != n.name {
				t.Errorf("%q: got %d, want %d", text, got, n.name)
			}
		}
	}
	for text, want := range map[string]Name{
		"x-forwarded-ssl": XForwardedOther, "X-Forwarded-": Other, "x": Other, "contenT-lengtH": ContentLength,
		"content-lengthx": Other, "x-forwarded-prefix-and-more-than-nineteen": XForwardedOther,
	} {
		if got := nameOf([]byte(text)); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
	r, _, _ := parseRequest(t, "GET / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\nX.Forwarded.For: b\r\n\r\n")
	for i := 1; i < 3; i++ {
		if r.Kind(i) != Odd {
			t.Errorf("%q: got %d, want Odd", r.Name(i), r.Kind(i))
		}
	}
}

func TestConnectionNamesFieldsThatEndHere(t *testing.T) {
	t.Parallel()
	r, _, err := parseRequest(t, "GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nX-Two: 2\r\nConnection: x-ONE,, close ,X-Three\r\nConnection: nothing\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	var hops []string
	for i := range r.Count() {
		if r.Hop(i) {
			hops = append(hops, string(r.Line(i)))
		}
	}
	if diff := cmp.Diff([]string{"X-One: 1"}, hops); diff != "" {
		t.Error(diff)
	}
	if r.KeepAlive {
		t.Error("close was not seen")
	}
}

func TestValidValueLooksAtEveryByte(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		want := c == '\t' || c >= ' ' && c != 0x7f
		for _, at := range []int{0, 3, 7, 8, 12} {
			b := []byte("0123456789abc")
			b[at] = byte(c)
			if got := validValue(b); got != want {
				t.Errorf("byte %#x at %d: got %v, want %v", c, at, got, want)
			}
		}
	}
}

func TestParsingAllocatesNothing(t *testing.T) {
	r := &Request{}
	text := []byte(typical)
	if n := testing.AllocsPerRun(100, func() {
		r.Reset()
		if done, err := r.Parse(text); !done || err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

const typical = "GET /path/to/something?with=query HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n" +
	"Connection: keep-alive\r\nCookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\nUpgrade-Insecure-Requests: 1\r\n\r\n"

func BenchmarkRequest(b *testing.B) {
	r := &Request{}
	text := []byte(typical)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset()
		if done, err := r.Parse(text); !done || err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(typical))
	for _, c := range corpus(f) {
		if !c.response() {
			f.Add(c.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var whole, pieces Request
		whole.Reset()
		pieces.Reset()
		done, err := whole.Parse(b)
		var done2 bool
		var err2 error
		for n := 0; n <= len(b) && !done2 && err2 == nil; n += 1 + n/4 {
			done2, err2 = pieces.Parse(b[:n:n])
		}
		if !done2 && err2 == nil {
			done2, err2 = pieces.Parse(b)
		}
		if done != done2 || (err == nil) != (err2 == nil) {
			t.Fatalf("got %v, %v in pieces, want %v, %v", done2, err2, done, err)
		}
		if !done || err != nil {
			return
		}
		if whole.Len > len(b) || len(whole.Path) == 0 || whole.Chunked && whole.ContentLength >= 0 {
			t.Fatalf("got length %d of %d, path %q", whole.Len, len(b), whole.Path)
		}
		for i := range whole.Count() {
			if strings.ContainsAny(string(whole.Line(i)), "\r\n\x00") {
				t.Fatalf("got line %q", whole.Line(i))
			}
		}
	})
}
