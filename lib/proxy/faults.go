package proxy

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"passenger/lib/loglimit"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/wire"
)

// errBug ends what a bug of ours broke.
var errBug = errors.New("internal error")

// faults log requests that a process of an app failed, at most once a second: a
// process that dies fails all that it had.
type faults struct {
	loglimit.Limiter
	unlogged atomic.Int64 // since the last that was logged
}

// maxLoggedPath bounds what a client can write into the log.
const maxLoggedPath = 200

// fault logs that the process which the request was last tried on failed it. It
// leaves the query out, which may hold secrets.
func (s *session) fault(message string, err error) {
	a, t := s.req.mount.app, s.target.Load()
	if !a.faults.Due() {
		a.faults.unlogged.Add(1)
		return
	}
	path := s.req.Path[:min(len(s.req.Path), maxLoggedPath)]
	slog.Warn(message, "app", a.name, "pid", t.PID, "process", t.ID,
		"request", string(s.req.id[:s.req.idLen]), "method", string(s.req.Method), "path", string(path),
		"took", time.Since(s.req.began).Round(time.Millisecond), "err", err, "not_logged", a.faults.unlogged.Swap(0))
}

// unanswered logs that no answer began. It leaves out what is the doing of
// others.
func (s *session) unanswered(err error) {
	switch {
	case s.verdict == balance.Fine:
		return
	case errors.Is(err, wire.ErrTimeout):
		err = fmt.Errorf("no byte of an answer in %v", s.answerTime())
	case errors.Is(err, io.EOF):
		err = errors.New("the process closed the connection before an answer began")
	default:
		err = fmt.Errorf("read the answer: %w", err)
	}
	s.fault("request not answered by the app", err)
}

// brokenOff judges and logs that an answer will have no end because of err,
// unless the client or we ended it.
func (x *exchange) brokenOff(err error) {
	if errors.Is(err, balance.ErrGone) || errors.Is(err, errStopping) || x.body.upload.failed() || x.answer.buffer.Failed() {
		return
	}
	x.session.verdict = balance.Failed
	if errors.Is(err, io.EOF) {
		err = errors.New("the process closed the connection before the answer's end")
	}
	x.session.fault("answer of the app broken off", err)
}
