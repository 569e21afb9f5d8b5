package security

import (
	"context"
	"log/slog"
)

// Copy returns a handler that passes all records on to log, and those that are
// events to events as well. An event that could not be written there is told by
// the log.
func Copy(log, events slog.Handler) slog.Handler { return &copier{log, events} }

type copier struct {
	slog.Handler
	events slog.Handler
}

func (c *copier) Handle(ctx context.Context, r slog.Record) error {
	err := c.Handler.Handle(ctx, r)
	if !isEvent(r) {
		return err
	}
	if failed := c.events.Handle(ctx, r); failed != nil {
		lost := slog.NewRecord(r.Time, slog.LevelError, "could not write to the security log; the event stands in this log alone", r.PC)
		lost.Add("err", failed)
		return c.Handler.Handle(ctx, lost)
	}
	return err
}

func (c *copier) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &copier{c.Handler.WithAttrs(attrs), c.events.WithAttrs(attrs)}
}

func (c *copier) WithGroup(name string) slog.Handler {
	return &copier{c.Handler.WithGroup(name), c.events.WithGroup(name)}
}

func isEvent(r slog.Record) (found bool) {
	r.Attrs(func(a slog.Attr) bool {
		found = a.Key == Key
		return !found
	})
	return found
}
