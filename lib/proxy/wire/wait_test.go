package wire

import (
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// After a wait that the clock ended the connection reads again, once it is
// rearmed.
func TestReadWaitEnds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *Conn, peer *net.TCPConn) {
		c.ReadWait = short
		began := time.Now()
		_, err := c.Read(make([]byte, 1))
		fails(t, "a read of nothing", err, ErrTimeout)
		if took := time.Since(began); took < short {
			t.Errorf("it waited for %v, want %v at least", took, short)
		}
		c.Rearm()
		c.ReadWait = long
		say(t, peer, "late")
		if got := hear(t, c); got != "late" {
			t.Errorf("got %q", got)
		}
	})
}

// A wait that is held is one for all reads; Postpone moves its end.
func TestHeldWaitLastsOverReads(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *Conn, peer *net.TCPConn) {
		c.HoldRead(long)
		until := c.WaitsUntil()
		for range 3 {
			say(t, peer, "x")
			hear(t, c)
		}
		if got := c.WaitsUntil(); got != until {
			t.Errorf("the wait ends at %d, want %d as at first", got, until)
		}
		c.Postpone(c.Clock.After(short))
		_, err := c.Read(make([]byte, 1))
		fails(t, "the last read", err, ErrTimeout)
		if !c.ReadExpired() {
			t.Error("the clock did not end it")
		}
		c.Postpone(c.Clock.After(long))
		if !c.ReadExpired() {
			t.Error("a wait that is over was postponed")
		}
		fails(t, "its release", c.ReleaseRead(), ErrTimeout)
	})
}

// A peer that takes part of an answer now and then is waited for; one that takes
// nothing is not. The test moves the clock's time itself.
func TestWriteWaitBeginsAnewAsThePeerReads(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *Conn, peer *net.TCPConn) {
		c.Clock.Remove(c)
		k := NewClock(tick, func(int64) {})
		c.Clock = k
		k.add(c)
		pass := func(d time.Duration) {
			k.Now.Add(int64(d))
			k.sweep()
		}
		c.WriteWait = time.Hour
		// The kernel tells of room only when a good part of a buffer is free.
		Transport(c.Net).(*net.TCPConn).SetWriteBuffer(16 << 10)
		peer.SetReadBuffer(16 << 10)
		done := make(chan error, 1)
		go func() {
			_, err := c.WriteBoth(make([]byte, 64<<20), nil)
			done <- err
		}()
		eventually(t, "the write waits", c.WriteWaits)
		part := make([]byte, 32<<10)
		for range 5 {
			pass(time.Hour * 2 / 3)
			before := c.writing.by.Load()
			eventually(t, "the wait begins anew", func() bool {
				if _, err := peer.Read(part); err != nil {
					t.Fatal(err)
				}
				return c.writing.by.Load() != before
			})
		}
		select {
		case err := <-done:
			t.Fatalf("the write ended while the peer reads: %v", err)
		default:
		}
		eventually(t, "the write ends", func() bool {
			pass(2 * time.Hour)
			select {
			case err := <-done:
				fails(t, "the write, once the peer reads no more", err, ErrTimeout)
				return true
			default:
				return false
			}
		})
	})
}

func TestInterruptEndsWaits(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *Conn, peer *net.TCPConn) {
		for what, do := range map[string]func(){"read": c.InterruptRead, "both": c.Interrupt} {
			done := make(chan error, 1)
			go func() {
				_, err := c.Read(make([]byte, 1))
				done <- err
			}()
			eventually(t, "it waits", func() bool { return c.WaitsUntil() > 0 })
			do()
			fails(t, what, <-done, ErrTimeout)
			c.Rearm()
		}
	})
}

type sleeper struct{ asleep, woken atomic.Bool }

func (s *sleeper) Wake() bool {
	if s.asleep.CompareAndSwap(true, false) {
		s.woken.Store(true)
		return true
	}
	return false
}

// The clock wakes a connection that waits without reading, and ends its wait
// only if there is none to wake.
func TestClockWakesSleepers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, c *Conn, peer *net.TCPConn) {
		s := &sleeper{}
		c.Waker = s
		s.asleep.Store(true)
		c.WaitUntil(c.Clock.After(long))
		c.Hasten(c.Clock.After(short))
		eventually(t, "it is woken", s.woken.Load)
		eventually(t, "its wait ends", c.ReadExpired)
		fails(t, "its wait", c.EndRead(), ErrTimeout)
	})
}

// The clock rests while it has no connection; for the next one its time is right
// at once.
func TestClockHoldsOpenConnectionsOnly(t *testing.T) {
	t.Parallel()
	k := newClock(t)
	count := func() (n int) {
		k.Each(func(*Conn) { n++ })
		return n
	}
	for range 2 {
		var conns []*Conn
		before := int64(time.Since(k.Start))
		for range 3 {
			nc, _ := pair(t)
			c := &Conn{}
			if err := c.Open(nc, k); err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
		}
		if n := count(); n != 3 {
			t.Errorf("it has %d connections, want 3", n)
		}
		if now := k.Now.Load(); now < before {
			t.Errorf("it is %d, want %d at least", now, before)
		}
		for i := range conns {
			conns[(i+1)%3].Close()
		}
		if n := count(); n != 0 {
			t.Errorf("it has %d connections, want none", n)
		}
	}
}
