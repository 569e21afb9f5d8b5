package proxy

import (
	"errors"
	"log/slog"
	"runtime/debug"
)

// errBug ends what a bug of ours broke.
var errBug = errors.New("internal error")

// caught is deferred where a goroutine begins: a bug of ours in it is logged
// and ends what end ends, and nobody else's requests.
func caught(end func()) {
	if r := recover(); r != nil {
		slog.Error("internal error", "err", r, "stack", string(debug.Stack()))
		end()
	}
}
