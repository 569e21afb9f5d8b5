package balance

import (
	"time"

	"passenger/lib/bug"
	"passenger/lib/http1"
	"passenger/lib/protocol"
	"passenger/lib/proxy/wire"
)

// defaultMaxUpgraded is how many connections without a slot a process may have,
// for routes that do not say it. An app with the usual 1024 descriptors has
// room for its files and its clients besides.
const defaultMaxUpgraded = 500

// A Takeover is a session whose connection the app has taken over. The app's
// mutex guards it while its goroutine runs.
type Takeover struct {
	process *Process
	of      Upgraded
	up      *Upstream     // on which the process is asked whether it is free
	freed   bool          // the slot was given back
	over    bool          // the session has ended
	done    chan struct{} // closed when no goroutine asks any more; nil if none does
}

// TakeOver notes that the app took the connection of a session on p over, which
// is now of. asked says that the client had asked for another protocol, so that
// the limit of upgraded connections was looked at before. Where slots are
// limited, a goroutine asks the process by d, for up to limit, whether it is free
// again.
func (a *App) TakeOver(p *Process, of Upgraded, asked bool, d *Dialer, limit time.Duration) *Takeover {
	t := &Takeover{process: p, of: of}
	a.mu.Lock()
	defer a.mu.Unlock()
	p.upgrade(of, false)
	switch {
	case p.concurrency == 0:
		a.giveBack(t)
	case p.Session && (asked || len(p.upgraded) <= a.maxUpgraded):
		t.done = make(chan struct{})
		go func() {
			defer close(t.done)
			defer bug.Caught(nil)
			a.awaitFree(t, d, limit)
		}()
	}
	return t
}

// giveBack gives the session's slot back. The mutex is held. From now on the place
// behind a session of the process is that of its next one.
func (a *App) giveBack(t *Takeover) {
	t.freed = true
	t.process.place = place{}
	t.process.inFlight--
	a.grant()
}

// EndTakeover takes t out of the upgraded connections, and ends its session as
// Release does; but if the slot was given back, others may have it.
func (a *App) EndTakeover(t *Takeover, now, took int64, v Verdict) {
	a.mu.Lock()
	t.over = true
	if t.up != nil {
		t.up.Interrupt()
	}
	a.mu.Unlock()
	if t.done != nil {
		<-t.done
	}
	a.mu.Lock()
	delete(t.process.upgraded, t.of)
	freed := t.freed
	a.mu.Unlock()
	a.end(t.process, nil, now, took, v, !freed)
}

// awaitFree gives t's slot back when the process answers a question that is no
// request, and its connection to the next request.
func (a *App) awaitFree(t *Takeover, d *Dialer, limit time.Duration) {
	u := t.open(a, d)
	if u == nil {
		return
	}
	u.ReadWait = limit
	reusable := u.answersQuestion()
	a.mu.Lock()
	defer a.mu.Unlock()
	t.up = nil
	if !reusable || t.over || t.process.draining {
		u.Close()
	} else {
		u.idleSince, u.Reused = d.Clock.Now.Load(), true
		t.process.idle = append(t.process.idle, u)
	}
	if reusable && !t.over {
		a.giveBack(t)
	}
}

// open returns a connection to ask on, nil if there is none or the
// session has ended. A backlog that is full will have room.
func (t *Takeover) open(a *App, d *Dialer) *Upstream {
	u := a.Another(t.process)
	for u != nil && !u.Quiet() {
		u.Close()
		u = a.Another(t.process)
	}
	for u == nil {
		var err error
		if u, err = d.Dial(t.process); err == ErrFull || err == ErrNoDescriptor {
			time.Sleep(FullPause)
		} else if err != nil {
			return nil
		}
		a.mu.Lock()
		over := t.over
		a.mu.Unlock()
		if over && u == nil {
			return nil
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.over {
		u.Close()
		return nil
	}
	t.up = u
	return u
}

// question is a session that never reaches the app: its adapter answers it.
var question = func() []byte {
	b := http1.BeginBlock(nil)
	for _, pair := range [...][2]string{
		{"CONTENT_LENGTH", "0"}, {"SCGI", "1"}, {"REQUEST_METHOD", "GET"}, {"REQUEST_URI", "/"}, {"PATH_INFO", "/"},
		{"SERVER_PROTOCOL", "HTTP/1.1"}, {protocol.VariableWork, protocol.WorkNone},
	} {
		b = http1.AppendPair(b, pair[0], pair[1])
	}
	return http1.FinishBlock(b)
}()

// answersQuestion asks the process, and says whether it answered in full.
func (u *Upstream) answersQuestion() bool {
	if _, err := u.WriteBoth(question, nil); err != nil {
		return false
	}
	b := wire.TakeBuffer(wire.Small)
	defer b.Free()
	var r http1.Response
	r.Reset()
	for n := 0; n < len(b.B); {
		m, err := u.Read(b.B[n:])
		if err != nil {
			return false
		}
		n += m
		if done, err := r.Parse(b.B[:n]); done || err != nil {
			return err == nil && r.Status == 200 && r.Body(false) == http1.NoBody && n == r.Len && r.KeepAlive
		}
	}
	return false
}
