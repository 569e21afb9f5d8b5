package limits

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/proxy/forwarded"
)

// A visit is a request at a time, in milliseconds, of a client; left says that it has
// gone at once.
type visit struct {
	at   int64
	from string
	left bool
	over Kind
	wait time.Duration
}

func TestWhoIsLetIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what   string
		limit  protocol.Serving
		visits []visit
	}{
		{"a rate, with a burst", protocol.Serving{ClientRequestRate: 2, ClientRequestBurst: 3}, []visit{
			{0, "192.0.2.1", true, None, 0}, {0, "192.0.2.1", true, None, 0}, {0, "192.0.2.1", true, None, 0},
			{0, "192.0.2.1", true, ClientRate, 500 * time.Millisecond}, {499, "192.0.2.1", true, ClientRate, time.Millisecond},
			{0, "192.0.2.2", true, None, 0}, {500, "192.0.2.1", true, None, 0}, {500, "192.0.2.1", true, ClientRate, 500 * time.Millisecond},
			{5000, "192.0.2.1", true, None, 0}, {5000, "192.0.2.1", true, None, 0}, {5000, "192.0.2.1", true, None, 0}, {5000, "192.0.2.1", true, ClientRate, 500 * time.Millisecond},
		}},
		{"a burst of a second", protocol.Serving{ClientRequestRate: 2}, []visit{
			{0, "192.0.2.1", true, None, 0}, {0, "192.0.2.1", true, None, 0}, {0, "192.0.2.1", true, ClientRate, 500 * time.Millisecond},
		}},
		{"less than one a second", protocol.Serving{ClientRequestRate: 0.1}, []visit{
			{0, "192.0.2.1", true, None, 0}, {1000, "192.0.2.1", true, ClientRate, 9 * time.Second}, {10_000, "192.0.2.1", true, None, 0},
		}},
		{"one network of IPv6", protocol.Serving{ClientRequestRate: 1}, []visit{
			{0, "2001:db8::1", true, None, 0}, {0, "2001:db8::ffff:1", true, ClientRate, time.Second}, {0, "2001:db8:0:1::1", true, None, 0},
			{0, "[2001:db8::2]:443", true, ClientRate, time.Second}, {0, "::1", true, None, 0}, {0, "::2", true, ClientRate, time.Second},
		}},
		{"IPv4 in IPv6 is IPv4", protocol.Serving{ClientRequestRate: 1}, []visit{
			{0, "192.0.2.1", true, None, 0}, {0, "::ffff:192.0.2.1", true, ClientRate, time.Second}, {0, "::ffff:192.0.2.2", true, None, 0},
		}},
		{"no address", protocol.Serving{ClientRequestRate: 1, ClientRequestConcurrency: 1}, []visit{{0, "unknown", false, None, 0}, {0, "", false, None, 0}}},
		{"at once", protocol.Serving{ClientRequestConcurrency: 2}, []visit{
			{0, "192.0.2.1", false, None, 0}, {0, "192.0.2.1", false, None, 0}, {0, "192.0.2.1", false, ClientConcurrency, time.Second},
			{0, "192.0.2.2", true, None, 0}, {9999, "192.0.2.1", false, ClientConcurrency, time.Second},
		}},
		{"all at once", protocol.Serving{RequestConcurrency: 2}, []visit{
			{0, "192.0.2.1", false, None, 0}, {0, "unknown", false, None, 0}, {0, "192.0.2.3", false, Concurrency, time.Second},
		}},
		{"all together", protocol.Serving{RequestRate: 1}, []visit{
			{0, "192.0.2.1", true, None, 0}, {1, "192.0.2.2", true, Rate, 999 * time.Millisecond}, {1000, "", true, None, 0},
		}},
		{"what all may not do costs a client nothing", protocol.Serving{RequestRate: 1, ClientRequestRate: 0.5, ClientRequestBurst: 2, ClientRequestConcurrency: 1}, []visit{
			{0, "192.0.2.1", true, None, 0}, {0, "192.0.2.2", true, Rate, time.Second}, {0, "192.0.2.2", true, Rate, time.Second},
			{1000, "192.0.2.2", true, None, 0}, {2000, "192.0.2.2", true, None, 0}, {2000, "192.0.2.2", true, ClientRate, time.Second},
		}},
	} {
		var l Limiter
		if l.Apply(&c.limit) == nil {
			t.Fatalf("%s: no limit", c.what)
		}
		for i, v := range c.visits {
			p, over, wait := l.Enter(forwarded.Origin(v.from), v.at*int64(time.Millisecond))
			if over != v.over || wait != v.wait {
				t.Errorf("%s, visit %d: got %s, %v, want %s, %v", c.what, i, Names[over], wait, Names[v.over], v.wait)
			}
			if v.left {
				p.Leave()
				p.Leave() // once is enough
			}
		}
	}
}

func TestNothingSetIsNoLimiter(t *testing.T) {
	t.Parallel()
	var l Limiter
	if l.Apply(&protocol.Serving{ClientRequestBurst: 0}) != nil {
		t.Error("got a limiter")
	}
}

// Settings change while requests are under way: those give back what they took.
func TestPlacesOutlastSettings(t *testing.T) {
	t.Parallel()
	var l Limiter
	from := netip.MustParseAddr("192.0.2.1")
	set := func(s protocol.Serving) { l.Apply(&s) }
	set(protocol.Serving{ClientRequestConcurrency: 1})
	first, _, _ := l.Enter(from, 0)
	set(protocol.Serving{})
	set(protocol.Serving{RequestConcurrency: 2, ClientRequestConcurrency: 1})
	second, over, _ := l.Enter(from, 0)
	if over != None {
		t.Errorf("a table that was made anew: got %s", Names[over])
	}
	if _, over, _ := l.Enter(netip.MustParseAddr("192.0.2.2"), 0); over != Concurrency {
		t.Errorf("got %s, want the limit of all", Names[over])
	}
	first.Leave()
	second.Leave()
	if n := l.busy.Load(); n != 0 {
		t.Errorf("%d are under way still", n)
	}
}

// What a client owes by a slow pace is no debt by a quick one.
func TestAnotherPaceForgivesTheOldOne(t *testing.T) {
	t.Parallel()
	var l Limiter
	from := netip.MustParseAddr("192.0.2.1")
	l.Apply(&protocol.Serving{ClientRequestRate: 0.001, RequestRate: 0.001})
	l.Enter(from, 0)
	l.Apply(&protocol.Serving{ClientRequestRate: 10, RequestRate: 10})
	if _, over, wait := l.Enter(from, 0); over != ClientRate || wait != 100*time.Millisecond {
		t.Errorf("got %s, %v", Names[over], wait)
	}
	if _, over, _ := l.Enter(from, int64(100*time.Millisecond)); over != Rate {
		t.Errorf("got %s", Names[over])
	}
	if _, over, _ := l.Enter(from, int64(200*time.Millisecond)); over != None {
		t.Errorf("got %s", Names[over])
	}
}

// The table is bounded: far more clients than it holds neither make it grow nor let a
// client go that has a request under way.
func TestManyClientsTakeNoMoreMemory(t *testing.T) {
	t.Parallel()
	var l Limiter
	l.Apply(&protocol.Serving{ClientRequestRate: 1, ClientRequestConcurrency: 1})
	busy := netip.MustParseAddr("192.0.2.1")
	held, _, _ := l.Enter(busy, 0)
	now := int64(0)
	for i := range uint32(10 * sets * ways) {
		var b [16]byte
		b[0] = 0x20
		binary.BigEndian.PutUint32(b[4:], i)
		now += int64(time.Microsecond)
		p, over, _ := l.Enter(netip.AddrFrom16(b), now)
		if over != None {
			t.Fatalf("client %d: got %s", i, Names[over])
		}
		p.Leave()
	}
	if _, over, _ := l.Enter(busy, now); over != ClientConcurrency {
		t.Errorf("the busy client: got %s", Names[over])
	}
	held.Leave()
	if _, over, _ := l.Enter(busy, now+int64(time.Second)); over != None {
		t.Errorf("later: got %s", Names[over])
	}
}

func TestEnteringAllocatesNothing(t *testing.T) {
	var l Limiter
	l.Apply(&protocol.Serving{ClientRequestRate: 1e6, ClientRequestConcurrency: 10, RequestRate: 1e6, RequestConcurrency: 10})
	from, now := netip.MustParseAddr("2001:db8::"), int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		now += 1000
		p, over, _ := l.Enter(from, now)
		if over != None {
			t.Fatal(Names[over])
		}
		p.Leave()
	}); n > 0 {
		t.Errorf("got %v allocations", n)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	var l Limiter
	l.Apply(&protocol.Serving{ClientRequestConcurrency: 3, RequestConcurrency: 5})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			from := netip.AddrFrom4([4]byte{192, 0, 2, byte(i % 3)})
			for now := range int64(2000) {
				p, _, _ := l.Enter(from, now)
				if n := l.busy.Load(); n > 5+8 { // those that look may be counted for a moment
					t.Errorf("%d at once", n)
				}
				p.Leave()
			}
		})
	}
	all.Wait()
	if n := l.busy.Load(); n != 0 {
		t.Errorf("%d are under way still", n)
	}
}

func BenchmarkEnter(b *testing.B) {
	var l Limiter
	l.Apply(&protocol.Serving{ClientRequestRate: 1e6, ClientRequestConcurrency: 10, RequestRate: 1e6, RequestConcurrency: 10})
	from, now := netip.MustParseAddr("2001:db8::"), int64(0)
	b.ReportAllocs()
	for b.Loop() {
		now += 1000
		p, _, _ := l.Enter(from, now)
		p.Leave()
	}
}
