package proxy

import (
	"errors"
	"log/slog"
	"time"

	"passenger/lib/proxy/wire"
)

// ErrHandedOver is the cause with which a proxy's context ends once a successor
// accepts: upgraded connections then stay until the drain is over, as the
// requests do. When a proxy is stopped they are closed at once.
var ErrHandedOver = errors.New("a successor took over")

// Upgraded connections may last for hours. So those of a process that is to go
// are closed at once, unless the app wants them to be left until it ends.

// enter counts x among the upgraded connections of its process.
func (a *app) enter(x *exchange) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := x.process
	p.upgrade(x, true)
	if (p.leaving || a.removed || x.client.proxy.parting.Load()) && !a.keepsUpgraded {
		a.dismiss(p)
	}
}

// exit is the reverse of enter, but that a takeover goes on. Once it returns,
// nobody interrupts x.
func (a *app) exit(x *exchange) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if x.takeover != nil {
		x.process.upgraded[x] = false
	} else {
		delete(x.process.upgraded, x)
	}
}

// laden says that p has as many upgraded connections as it may. Where they keep
// their slots, these are the limit.
func (a *app) laden(p *process) bool {
	return p.session && p.concurrency > 0 && len(p.upgraded) >= a.maxUpgraded
}

// allLaden says that no process may have one more.
func (a *app) allLaden() bool {
	some := false
	for _, p := range a.processes {
		if p.draining {
			continue
		}
		if some = true; !a.laden(p) {
			return false
		}
	}
	return some
}

// dismiss closes the upgraded connections of a process. The app's mutex is
// held.
func (a *app) dismiss(p *process) {
	for x, closable := range p.upgraded {
		if closable && !x.dismissed.Swap(true) {
			a.dismissed++
			x.client.Interrupt()
			x.up.Interrupt()
		}
	}
}

// dismissAll closes the upgraded connections of all processes. force does so
// even if the app wants them left.
func (a *app) dismissAll(force bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keepsUpgraded && !force {
		return
	}
	for _, p := range a.processes {
		a.dismiss(p)
	}
}

// dismiss does it for all apps.
func (p *Proxy) dismiss(force bool) {
	for _, a := range p.allApps() {
		a.dismissAll(force)
	}
}

// farewell tells a client whose connection was dismissed, if it is a WebSocket
// and no frame is under way, that we go away. Nobody else uses the connection
// any more.
func (x *exchange) farewell(sent *frames) {
	c := x.client
	if !x.dismissed.Load() || !sent.between() {
		return
	}
	if err := c.Net.SetDeadline(time.Now().Add(wire.LastWords)); err != nil {
		return
	}
	if _, err := c.WriteBoth(goingAway, nil); err != nil {
		slog.Debug("could not say goodbye to a client", "err", err)
		return
	}
	c.CloseWrite()
	// What it sent last would turn our closing into a reset, which may overtake
	// the frame. It answers with a close frame and its end.
	c.ReadWait = wire.LastWords
	b := wire.TakeBuffer(wire.Small)
	defer b.Free()
	for {
		if _, err := c.Read(b.B); err != nil {
			return
		}
	}
}

// followFrames prepares f for what the process sends behind the head of its
// answer, which switched protocols.
func (x *exchange) followFrames(f *frames) {
	if !x.isWebSocket() {
		f.lose()
	}
}
