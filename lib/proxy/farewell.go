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

// dismiss does it for all apps.
func (p *Proxy) dismiss(force bool) {
	for _, a := range p.allApps() {
		a.balance.DismissAll(force)
	}
}

// Dismiss ends a tunnel; see balance.Upgraded.
func (s *session) Dismiss() bool {
	if s.dismissed.Swap(true) {
		return false
	}
	s.req.client.Interrupt()
	s.up.Interrupt()
	return true
}

// farewell tells a client whose connection was dismissed, if it is a WebSocket
// and no frame is under way, that we go away. Nobody else uses the connection
// any more.
func (x *exchange) farewell(sent *frames) {
	c := x.client
	if !x.session.dismissed.Load() || !sent.between() {
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
func (s *session) followFrames(f *frames) {
	if !s.isWebSocket() {
		f.lose()
	}
}
