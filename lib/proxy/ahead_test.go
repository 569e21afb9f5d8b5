package proxy

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/wire"
)

// A held call is answered as it is let.
type held struct {
	*call
	let chan behaviour
}

// A stage is what processes do that take requests which went ahead. They answer
// with the target. A target with "hold" in it is held until it is let, one with
// "followed" until another request has come behind it, too.
type stage struct {
	t     *testing.T
	s     *server
	fakes []*fake
	came  chan held

	mu  sync.Mutex // guards ran
	ran map[string]int
}

func onStage(t *testing.T, processes int, change func(*protocol.Route)) *stage {
	t.Helper()
	a := &stage{t: t, came: make(chan held, 100), ran: map[string]int{}}
	for range processes {
		a.fakes = append(a.fakes, start(t, ahead, 1, a.answer))
	}
	r := route(a.fakes...)
	if change != nil {
		change(&r)
	}
	a.s = serve(t, Config{slowAfter: time.Hour}, r)
	a.beQuick()
	return a
}

func (a *stage) answer(c *call) bool {
	if c.Vars[protocol.VariableWork] == protocol.WorkNone {
		c.ok("")
		return true
	}
	if strings.Contains(c.Target, "followed") {
		if _, err := c.In.Peek(1); err != nil {
			return false
		}
	}
	a.mu.Lock()
	a.ran[c.Target]++
	a.mu.Unlock()
	how := repeat
	if strings.Contains(c.Target, "followed") || strings.Contains(c.Target, "hold") {
		h := held{c, make(chan behaviour, 1)}
		a.came <- h
		select {
		case how = <-h.let:
		case <-c.Upstream.killed:
			return false
		}
	}
	return how(c)
}

func repeat(c *call) bool {
	c.ok(c.Target)
	return true
}

// beQuick has so many requests wait and be answered that others go ahead.
func (a *stage) beQuick() {
	a.t.Helper()
	var peers []*peer
	var calls []held
	for range a.fakes {
		peers = append(peers, a.ask("/hold"))
		calls = append(calls, within(a.t, a.came, "a call for each process"))
	}
	waits := a.ask("/waits")
	eventually(a.t, "one waits", func() bool { return a.s.queued() == 1 })
	for _, c := range calls {
		c.let <- repeat
	}
	a.gets("/hold", peers...)
	a.gets("/waits", waits)
	p := a.s.dial()
	for range 120 {
		p.get("/quick")
	}
}

func (a *stage) ask(path string) *peer {
	a.t.Helper()
	return a.s.dial().send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
}

// gets fails unless all get an answer with the body.
func (a *stage) gets(body string, peers ...*peer) {
	a.t.Helper()
	for _, p := range peers {
		if r := p.receive("GET"); r.Status != 200 || r.Body != body {
			a.t.Errorf("got %+v, want %q", r, body)
		}
	}
}

// followed has a process busy with a request behind which another, for path, came.
func (a *stage) followed(path string) (first, second *peer, c held) {
	a.t.Helper()
	before := a.s.snapshot().Apps["app"].Requests
	first = a.ask("/followed")
	eventually(a.t, "the first has a process", func() bool {
		busy := 0
		for _, f := range a.fakes {
			busy += a.s.inFlight(f)
		}
		return busy == len(a.fakes)
	})
	second = a.ask(path)
	c = within(a.t, a.came, "a request that is followed")
	if n := a.s.queued(); n != 1 || a.s.snapshot().Apps["app"].Requests != before {
		a.t.Errorf("%d wait, want the one that went ahead", n)
	}
	return first, second, c
}

// runs is how often a request for the path ran.
func (a *stage) runs(path string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ran[path]
}

// ranOnce fails unless a request for each path ran, and only once.
func (a *stage) ranOnce(paths ...string) {
	a.t.Helper()
	for _, p := range paths {
		if n := a.runs(p); n != 1 {
			a.t.Errorf("%s ran %d times, want 1", p, n)
		}
	}
}

func TestTheNextRequestGoesAhead(t *testing.T) {
	t.Parallel()
	a := onStage(t, 1, nil)
	first, second, c := a.followed("/second")
	third := a.ask("/third")
	eventually(t, "two wait", func() bool { return a.s.queued() == 2 })
	c.let <- repeat
	a.gets("/followed", first)
	a.gets("/second", second)
	a.gets("/third", third)
	a.ranOnce("/followed", "/second", "/third")
	if n := a.fakes[0].accepted.Load(); n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
}

// The process may have sent more than one answer when the first is read.
func TestAnswersThatComeTogetherAreToldApart(t *testing.T) {
	t.Parallel()
	for _, coded := range []bool{false, true} {
		a := onStage(t, 1, nil)
		first, second, c := a.followed("/second")
		both := func(c *call) bool {
			next := &call{In: c.In, Upstream: c.Upstream}
			if err := next.readSession(); err != nil || next.Target != "/second" {
				t.Errorf("what followed is %q, %v", next.Target, err)
			}
			one := "Content-Length: 9\r\n\r\n/followed"
			if coded {
				one = "Transfer-Encoding: chunked\r\n\r\n9\r\n/followed\r\n0\r\n\r\n"
			}
			c.reply("HTTP/1.1 200 OK\r\n%sHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n/second", one)
			return true
		}
		if !c.Follows {
			t.Error("the process does not know that a request may follow")
		}
		c.let <- both
		a.gets("/followed", first)
		a.gets("/second", second)
		if r := a.s.dial().get("/third"); r.Body != "/third" {
			t.Errorf("got %+v", r)
		}
		if n := a.fakes[0].accepted.Load(); n != 1 {
			t.Errorf("%d connections were made, want 1", n)
		}
	}
}

// What went ahead waits for its process, however long that takes; it is not sent to
// another one that is free.
func TestWhatWentAheadIsNotSentTwice(t *testing.T) {
	t.Parallel()
	a := onStage(t, 2, nil)
	first := a.ask("/hold/1")
	slow := within(t, a.came, "the first call")
	second := a.ask("/hold/2")
	quick := within(t, a.came, "the second call")
	third := a.ask("/hold/3")
	eventually(t, "it waits", func() bool { return a.s.queued() == 1 })
	quick.let <- repeat
	a.gets("/hold/2", second)
	eventually(t, "one process is free", func() bool { return a.s.inFlight(quick.Upstream) == 0 })
	fourth := a.ask("/fourth")
	a.gets("/fourth", fourth)
	if n := a.s.queued(); n != 1 {
		t.Errorf("%d wait, want the one that went ahead", n)
	}
	slow.let <- repeat
	a.gets("/hold/1", first)
	c := within(t, a.came, "the one that went ahead")
	c.let <- repeat
	a.gets("/hold/3", third)
	a.ranOnce("/hold/1", "/hold/2", "/hold/3")
	if c.Upstream != slow.Upstream {
		t.Error("it went elsewhere")
	}
}

// A process that ends has not begun with what went ahead, which goes to another one.
// The request that it had is tried on one more at most, although bytes were unread.
func TestProcessDeathCostsNothingThatWentAhead(t *testing.T) {
	t.Parallel()
	a := onStage(t, 1, nil)
	first, second, c := a.followed("/second")
	count := func(c *call) bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.ran[c.Target]++
		return c.Target == "/second" && repeat(c)
	}
	a.s.set(route(a.fakes[0], start(t, ahead, 1, count), start(t, ahead, 1, count)))
	c.Upstream.kill()
	a.gets("/second", second)
	if r := first.receive("GET"); r.Status != 502 {
		t.Errorf("got %+v", r)
	}
	a.ranOnce("/second")
	if n := a.runs("/followed"); n != 2 {
		t.Errorf("a request that ends its process reached %d, want 2", n)
	}
}

// A client that leaves costs neither the process nor the connection.
func TestClientLeavesWhoseRequestWentAhead(t *testing.T) {
	t.Parallel()
	a := onStage(t, 1, nil)
	first, second, c := a.followed("/second")
	second.Close()
	c.let <- repeat
	a.gets("/followed", first)
	if r := a.s.dial().get("/third"); r.Body != "/third" {
		t.Errorf("got %+v", r)
	}
	a.ranOnce("/second", "/third")
	if f := a.fakes[0]; f.accepted.Load() != 1 || a.s.snapshot().Processes[f.route.ID].Errors != 0 {
		t.Errorf("the process paid for it: %d connections, %+v", f.accepted.Load(), a.s.snapshot().Processes[f.route.ID])
	}
}

// A process that gives its connection up reads no further.
func TestConnectionEndsOnWhichARequestWentAhead(t *testing.T) {
	t.Parallel()
	a := onStage(t, 1, nil)
	first, second, c := a.followed("/second")
	c.let <- func(c *call) bool {
		c.reply("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\n/followed")
		return false
	}
	a.gets("/followed", first)
	a.gets("/second", second)
	a.ranOnce("/second")
}

// An app that takes its connection over sees nothing of the request that went ahead,
// of which there may have been room for a part alone.
func TestAppTakesOverWhereARequestWentAhead(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]string{"whole": "/second", "in part": "/second?" + strings.Repeat("x", 7_000)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := onStage(t, 1, nil)
			a.s.clock.Each(func(c *wire.Conn) {
				if u, ok := c.Net.(*net.UnixConn); ok && clientOf(c) == nil {
					_ = u.SetWriteBuffer(3 << 10) // less than the request that is long
				}
			})
			first, second, c := a.followed(target)
			more := start(t, ahead, 1, a.answer)
			c.let <- func(c *call) bool {
				c.reply("%s", takeoverHead)
				next := &call{In: c.In, Upstream: c.Upstream}
				if err := next.readSession(); err != nil || next.Target != target {
					t.Errorf("before the end comes %.20q, %v", next.Target, err)
				}
				end := make([]byte, 3)
				if _, err := io.ReadFull(c.In, end); err != nil || string(end) != "0:," {
					t.Errorf("got %q, %v; want the end of requests", end, err)
				}
				c.reply("HTTP/1.1 200 OK\r\n\r\nraw ")
				line, _ := c.In.ReadString('\n')
				c.reply("%s", line)
				return false
			}
			a.s.set(route(a.fakes[0], more))
			a.gets(target, second)
			a.ranOnce(target)
			first.send("bytes\n")
			if r := first.receive("GET"); r.Body != "raw bytes\n" {
				t.Errorf("got %+v", r)
			}
		})
	}
}

// A connection that an app took over before concerns no session that its process has
// when it ends.
func TestTakenOverConnectionEndsBesideARequestThatWentAhead(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{"raw": "", "sized": "Connection: close\r\nContent-Length: 8\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := onStage(t, 1, nil)
			tunnel := a.ask("/hold/tunnel")
			goOn := make(chan struct{})
			within(t, a.came, "the one that takes over").let <- func(c *call) bool {
				c.reply("%s", takeoverHead)
				if _, err := io.ReadFull(c.In, make([]byte, 3)); err != nil {
					t.Error(err)
				}
				<-goOn
				c.reply("HTTP/1.1 200 OK\r\n%s\r\nfarewell", head)
				return false
			}
			eventually(t, "the process is free", func() bool { return a.s.inFlight(a.fakes[0]) == 0 })
			first, second, c := a.followed("/hold/second")
			close(goOn)
			a.gets("farewell", tunnel)
			tunnel.Close()
			eventually(t, "it is over", func() bool { return a.s.snapshot().Processes[a.fakes[0].route.ID].Upgraded == 0 })
			c.let <- repeat
			a.gets("/followed", first)
			c = within(t, a.came, "the one that went ahead")
			third := a.ask("/third")
			eventually(t, "it waits", func() bool { return a.s.queued() == 1 })
			c.let <- repeat
			a.gets("/hold/second", second)
			a.gets("/third", third)
			a.ranOnce("/followed", "/hold/second", "/third")
		})
	}
}

// A request that is given up may have been answered already. Then what went ahead
// may have begun, and is tried once more, as on any connection that ended.
func TestRequestIsGivenUpBehindWhichOneWentAhead(t *testing.T) {
	t.Parallel()
	a := onStage(t, 1, func(r *protocol.Route) { r.RequestTime = 0.5 })
	first, second, c := a.followed("/second")
	more := start(t, ahead, 1, a.answer)
	a.s.set(route(a.fakes[0], more))
	if r := first.receive("GET"); r.Status != 504 {
		t.Errorf("got %+v", r)
	}
	a.gets("/second", second)
	c.let <- func(c *call) bool {
		if _, err := bufio.NewReader(c.Conn).ReadByte(); err == nil {
			t.Error("something came behind the request that went ahead")
		}
		return false
	}
	a.ranOnce("/second")
}

func TestWaitOfWhatWentAheadIsBounded(t *testing.T) {
	t.Parallel()
	a := onStage(t, 1, func(r *protocol.Route) { r.QueueTime = 0.5 })
	first, second, c := a.followed("/second")
	if r := second.receive("GET"); r.Status != 504 {
		t.Errorf("got %+v", r)
	}
	c.let <- repeat
	a.gets("/followed", first)
	if r := a.s.dial().get("/third"); r.Body != "/third" {
		t.Errorf("got %+v", r)
	}
}

// No other request may follow one that is more than its head, or asks for another
// protocol.
func TestOnlyPlainRequestsAreFollowed(t *testing.T) {
	t.Parallel()
	a := onStage(t, 1, nil)
	for _, c := range []struct {
		head    string
		follows bool
	}{
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
		{"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", true},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", false},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", false},
	} {
		p := a.s.dial().send(strings.Replace(c.head, "/", "/hold", 1))
		came := within(t, a.came, c.head)
		if came.Follows != c.follows {
			t.Errorf("%q: may be followed: %v", c.head, came.Follows)
		}
		came.let <- func(c *call) bool { io.Copy(io.Discard, c.Body); return repeat(c) }
		p.receive("GET")
	}
}

// Nothing goes ahead that may change something.
func TestOnlyRequestsThatReadGoAhead(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]bool{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n":                               true,
		"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n":                              true,
		"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n":                            false,
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n":         false,
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n":          false,
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n": false,
	} {
		q := request{mount: &mount{}}
		q.Request.Reset()
		if done, err := q.Parse([]byte(head)); !done || err != nil {
			t.Fatal(head, err)
		}
		if got := q.mayGoAhead(); got != want {
			t.Errorf("%q: got %v", head, got)
		}
	}
	q := request{mount: &mount{}, upgrade: true}
	q.Request.Reset()
	if _, err := q.Parse([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")); err != nil || q.mayGoAhead() {
		t.Error("one that asks for another protocol goes ahead", err)
	}
}

// Where a request is tried again, none follows: a process that ends resets one
// connection after the other, and each reset has to tell that nothing was read.
func TestNothingGoesAheadBehindARequestThatIsTriedAgain(t *testing.T) {
	t.Parallel()
	p := &balance.Process{Session: true, Form: protocol.SessionAhead}
	for try, want := range map[try]bool{firstTry: true, secondTry: false, loneTry: false} {
		for _, reused := range []bool{true, false} {
			s := &session{req: &request{}, try: try, up: &balance.Upstream{Reused: reused}}
			if s.invites(p) != (want && reused) || !s.followable(p) {
				t.Errorf("try %d, reused %v: invites %v", try, reused, s.invites(p))
			}
		}
	}
}
