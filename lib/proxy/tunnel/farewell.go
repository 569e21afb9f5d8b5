package tunnel

import (
	"log/slog"
	"time"

	"passenger/lib/proxy/wire"
)

// Farewell tells a client whose tunnel is over, if it is a WebSocket and no frame is
// under way, that the server goes away. No other goroutine uses c any more.
func Farewell(c *wire.Conn, sent *Frames) {
	if !sent.between() {
		return
	}
	if err := c.Net.SetDeadline(time.Now().Add(wire.LastWords)); err != nil {
		return
	}
	if _, err := c.WriteBoth(GoingAway, nil); err != nil {
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
