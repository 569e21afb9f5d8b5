package control

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"passenger/lib/account"
	"passenger/lib/protocol"
	"passenger/lib/security"
	"passenger/lib/unixsock"
)

// take answers a request of root, the daemon's own user and its control group,
// and of no browser.
func (s *Server) take(a *answer, r *Request) {
	if err := s.admit(r); err != nil {
		replyError(a, err)
		return
	}
	c := s.route(r)
	if c == nil {
		replyError(a, unknown(r))
		return
	}
	s.answer(a, r, c)
}

// tellRefused tells of a caller that was not let in, at most once a second: any
// user of the machine may call as often as it likes.
func (s *Server) tellRefused(peer unixsock.Peer, known bool, r *Request) {
	if !s.refused.Due() {
		return
	}
	if !known {
		slog.Warn("call refused", security.CallRefused.Attr(), "reason", "the kernel does not tell who calls")
		return
	}
	slog.Warn("call refused", security.CallRefused.Attr(), "user.name", account.NameOf(peer.UID), "user.id", strconv.Itoa(peer.UID), "pid", peer.PID,
		"method", r.Method, "path", r.URL.Path)
}

func (s *Server) admit(r *Request) error {
	if r.field("origin") != "" || r.field("referer") != "" {
		return &protocol.Error{Code: protocol.CodeNotAllowed, Message: "a control socket does not talk to browsers"}
	}
	peer, ok := Caller(r)
	if !ok || !s.admits(peer) {
		s.tellRefused(peer, ok, r)
		e := &protocol.Error{
			Code:    protocol.CodeNotAllowed,
			Message: fmt.Sprintf("user %s may not talk to this daemon", account.NameOf(peer.UID)),
			Hint:    fmt.Sprintf("run it as root or as user %s", account.NameOf(os.Geteuid())),
		}
		if s.Group != nil {
			e.Hint += fmt.Sprintf(", or as a member of group %s", s.Group.Name)
		}
		return e
	}
	if v := r.field(strings.ToLower(protocol.HeaderProtocol)); v != "" {
		if n, err := strconv.Atoi(v); err != nil || n > protocol.Version {
			return &protocol.Error{
				Code:    protocol.CodeVersionMismatch,
				Message: fmt.Sprintf("%s speaks protocol %d, the caller %q", s.Program, protocol.Version, v),
				Hint:    "upgrade " + s.Program,
			}
		}
	}
	return nil
}

func (s *Server) admits(peer unixsock.Peer) bool {
	if s.Group == nil {
		return peer.Trusted(-1)
	}
	return peer.Trusted(s.Group.GID)
}
