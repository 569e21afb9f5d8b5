package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// What apps may do to an answer, well or badly. %s is the nonce of the request.
// Each is sent in one piece, so that what is left over is there before the
// connection could carry another request.
var mixedAnswers = []struct {
	text string
	goes bool // the app keeps the connection
}{
	{"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%s", true},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n%s\r\n0\r\n\r\n", true},
	{"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%s", true},
	{"HTTP/1.1 200 OK\r\n\r\n%s", false},
	{"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%sHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nleftover", true},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n%s\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nleftover", true},
	{"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%s\r\n", true},
	{"HTTP/1.1 204 No Content\r\nX-Nonce: %s\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nleftover", true},
	{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n%s", false},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n%s\r\nzz\r\n", true},
	{"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nContent-Length: 0\r\n\r\n%s", true},
	{"HTTP/1.1 200 OK\r\nConte", false},
	{"", false},
}

// X35, Apache 2012-3502: a connection to a process on which something is left
// over, or after an error, carries no other request. Ten thousand requests of
// ten clients, half in each protocol, to processes that answer well and badly:
// no client gets a byte that was meant for another.
func TestAnswersAreNeverMixedUp(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proto string) {
		misbehave := func(c *call) bool {
			io.Copy(io.Discard, c.Body)
			nonce := c.header("X-Nonce")
			a := mixedAnswers[rand.IntN(len(mixedAnswers))]
			if strings.Contains(a.text, "%s") {
				a.text = fmt.Sprintf(a.text, nonce)
			}
			if c.Method == "HEAD" && rand.IntN(2) == 0 {
				a.text = strings.Replace(a.text, "\r\n\r\n"+nonce, "\r\n\r\n", 1)
			}
			io.WriteString(c.Conn, a.text)
			return a.goes
		}
		s := serve(t, Config{}, route(start(t, proto, 4, misbehave), start(t, proto, 4, misbehave)))
		var wg sync.WaitGroup
		for client := range 10 {
			wg.Go(func() {
				m := mixer{t: t, s: s}
				for i := range 500 {
					m.ask(fmt.Sprintf("%03d%05d", client, i))
				}
				if m.whole == 0 {
					t.Error("no answer was whole")
				}
			})
		}
		wg.Wait()
	})
}

// A mixer asks one request after the other and judges each answer.
type mixer struct {
	t     *testing.T
	s     *server
	p     *peer // nil if the connection ended
	whole int   // answers that came whole from the app
}

// ask sends one request and fails unless all that comes back is its own.
func (m *mixer) ask(nonce string) {
	if m.p == nil {
		m.p = m.s.dial()
	}
	method, body := []string{"GET", "HEAD", "POST"}[rand.IntN(3)], ""
	if method == "POST" {
		body = "Content-Length: 3\r\n\r\nabc"
	} else {
		body = "\r\n"
	}
	m.p.send(method + " / HTTP/1.1\r\nHost: a\r\nX-Nonce: " + nonce + "\r\n" + body)
	r, err := http.ReadResponse(m.p.in, &http.Request{Method: method})
	for err == nil && r.StatusCode < 200 {
		r, err = http.ReadResponse(m.p.in, &http.Request{Method: method})
	}
	if err != nil {
		m.t.Errorf("%s: got no answer: %v", nonce, err)
		m.p = nil
		return
	}
	got, err := io.ReadAll(r.Body)
	switch {
	case r.StatusCode == 204 && r.Header.Get("X-Nonce") != nonce:
		m.t.Errorf("%s: got the answer of %s", nonce, r.Header.Get("X-Nonce"))
	case r.StatusCode == 200 && method != "HEAD" && !strings.HasPrefix(nonce+"\r\n", string(got)) && r.ContentLength >= 0:
		m.t.Errorf("%s: got %q", nonce, got)
	case r.StatusCode == 200 && method != "HEAD" && !strings.HasPrefix(string(got), nonce) && err == nil:
		m.t.Errorf("%s: got %q", nonce, got)
	case r.StatusCode == 200 && err == nil:
		m.whole++
	case r.StatusCode != 200 && r.StatusCode != 204 && r.StatusCode != 502:
		m.t.Errorf("%s: got %d", nonce, r.StatusCode)
	}
	if err != nil || r.Close {
		m.p.Close()
		m.p = nil
	}
}

// The seeds of answers that are changed at random.
var answerSeeds = []string{
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nX-T: v\r\n\r\n",
	"HTTP/1.1 200 OK\r\n\r\nhello",
	"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
	"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
	"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
	"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\nConnection: close, X-A\r\nX-A: b\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nbytes",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
}

var (
	answerLines = []string{
		"Content-Length: 5", "Content-Length: 05", "Content-Length: +5", "Content-Length: 5, 5", "Content-Length: 4", "Content-Length: 5 5", "Content-Length:", "Content-Length : 5",
		"Content-Length: 18446744073709551621", "Transfer-Encoding: chunked", "Transfer-Encoding : chunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: gzip", "Transfer-Encoding:\x0bchunked",
		"Transfer-Encoding: ", "Connection: Content-Length", "Connection: Transfer-Encoding", "Connection: close", "Connection: keep-alive", " folded", "\tfolded", "X-A", ": x", "X A: b", "X: a\rb", "X: a\nb", "X: a\x00b", "HTTP/1.1 200 OK", "Upgrade: x", "\xff: x",
	}
	answerOdd = []string{"\x00", "\r", "\n", "\r\n", "\r\n\r\n", "\t", " ", "\x0b", "\x7f", "\x80", ":", ";", ",", "\"", "0", "1", "f", "-", "+", "x"}
	chunkOdd  = []string{"\r\n05", "\r\n0x5", "\r\n+5", "\r\n5 ", "\r\n 5", "\r\n5;", "\r\n5;a=\"", "\r\n5\n", "\r\n10000000000000005", "\r\n-5", "\r\nffffffffffffffff", "\r\n"}
	statusOdd = []string{"HTTP/1.1 200", "HTTP/1.1 099 X", "HTTP/1.1 1000 X", "HTTP/1.1  200 OK", "HTTP/1.2 200 OK", "HTTP/2.0 200 OK", "http/1.1 200 OK", "HTTP/1.1 199 X", "HTTP/1.1 999 X", "HTTP/1.1 205 X", "HTTP/1.1 304 X", "HTTP/1.1 200 O\rK", "ICY 200 OK", "HTTP/1.1 2x0 OK", "HTTP/1.1\t200 OK"}
)

// mutateAnswer changes an answer in one to three places.
func mutateAnswer(r *rand.Rand, s string) string {
	one := func(list []string) string { return list[r.IntN(len(list))] }
	for range 1 + r.IntN(3) {
		at := r.IntN(len(s) + 1)
		switch r.IntN(7) {
		case 0:
			s = s[:at] + one(answerOdd) + s[at:]
		case 1:
			s = s[:at] + s[min(at+1, len(s)):]
		case 2, 3:
			if i := strings.Index(s, "\r\n"); i >= 0 {
				s = s[:i+2] + one(answerLines) + "\r\n" + s[i+2:]
			}
		case 4:
			s = strings.Replace(s, "\r\n5", one(chunkOdd), 1)
		case 5:
			if i := strings.Index(s, "\r\n"); i >= 0 {
				s = one(statusOdd) + s[i:]
			}
		case 6:
			s = s[:at]
		}
	}
	return s
}

// X35, and row 12 of the faults: whatever an app sends, its client gets one
// answer, which net/http understands, and the next request gets its own. How
// many are tried is in PASSENGER_TEST_ANSWERS, and a seed behind a comma.
func TestOneAnswerComesOfOne(t *testing.T) {
	t.Parallel()
	n, seed := 2000, uint64(1)
	if v := os.Getenv("PASSENGER_TEST_ANSWERS"); v != "" {
		if _, err := fmt.Sscanf(v, "%d,%d", &n, &seed); err != nil {
			t.Fatalf("PASSENGER_TEST_ANSWERS %q: %v", v, err)
		}
	}
	both(t, func(t *testing.T, proto string) {
		var answer atomic.Value // the same for a request that is sent again
		s := serve(t, Config{}, route(start(t, proto, 1, func(c *call) bool {
			io.Copy(io.Discard, c.Body)
			if nonce := c.header("X-Nonce"); nonce != "" {
				c.ok(nonce)
				return true
			}
			io.WriteString(c.Conn, answer.Load().(string))
			return false
		})))
		r := rand.New(rand.NewPCG(seed, uint64(slices.Index(dataProtocols, proto)))) // no other's
		for i := range n {
			text := answerSeeds[i%len(answerSeeds)]
			if i >= len(answerSeeds) {
				text = mutateAnswer(r, text)
			}
			answer.Store(text)
			s.judge(text, fmt.Sprintf("nonce-%d", i))
		}
	})
}

// judge sends two requests at once, the first of which is answered with text,
// and fails unless the answers are one each, or one and the end.
func (s *server) judge(text, nonce string) {
	t := s.t
	p := s.dial()
	defer p.Close()
	p.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Nonce: " + nonce + "\r\n\r\n")
	all, _ := io.ReadAll(p.in) // a reset is an end too
	in := bufio.NewReader(bytes.NewReader(all))
	r, err := http.ReadResponse(in, &http.Request{Method: "GET"})
	for err == nil && r.StatusCode < 200 && r.StatusCode != 101 {
		r, err = http.ReadResponse(in, &http.Request{Method: "GET"})
	}
	if err != nil {
		t.Errorf("%q: the client got %q, of which net/http says %v", text, all, err)
		return
	}
	if r.StatusCode == 101 {
		return // all else is the app's
	}
	if body, err := io.ReadAll(r.Body); err != nil || r.Close {
		if strings.Contains(string(body), nonce) {
			t.Errorf("%q: the first answer %q has the nonce of the second", text, body)
		}
		return // cut off, and the end
	}
	r, err = http.ReadResponse(in, &http.Request{Method: "GET"})
	if err != nil {
		t.Errorf("%q: the client got %q, in which the second answer is missing: %v", text, all, err)
		return
	}
	if body, err := io.ReadAll(r.Body); string(body) != nonce || err != nil || in.Buffered() > 0 {
		t.Errorf("%q: the second answer is %q, %v, want %q", text, body, err, nonce)
	}
}
