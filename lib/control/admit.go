package control

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"passenger/lib/account"
	"passenger/lib/protocol"
	"passenger/lib/security"
	"passenger/lib/unixsock"
)

type peerKey struct{}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	if uc, ok := c.(*net.UnixConn); ok {
		if peer, err := unixsock.PeerOf(uc); err == nil {
			return context.WithValue(ctx, peerKey{}, peer)
		}
	}
	return ctx
}

// Caller is the process that made a call. ok is false if the kernel did not tell.
func Caller(r *http.Request) (peer unixsock.Peer, ok bool) {
	peer, ok = r.Context().Value(peerKey{}).(unixsock.Peer)
	return peer, ok
}

// guard lets in root, the daemon's own user and its control group, and no
// browser.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(protocol.HeaderProtocol, strconv.Itoa(protocol.Version))
		w.Header().Set(protocol.HeaderProgram, ProgramHeader(s.Program, s.Release))
		if err := s.admit(r); err != nil {
			replyError(w, err)
			return
		}
		if r.Body != http.NoBody {
			rc := http.NewResponseController(w)
			_ = rc.SetReadDeadline(time.Now().Add(bodyTimeout)) // unix sockets have deadlines
			r.Body = &timedBody{http.MaxBytesReader(w, r.Body, protocol.MaxBody), rc}
		}
		next.ServeHTTP(w, r)
	})
}

// A timedBody lifts the read deadline at its end. If that stayed, it would end
// the call: the server reads on to see whether the caller is still there.
type timedBody struct {
	io.ReadCloser
	rc *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.rc.SetReadDeadline(time.Time{}) // as above
	}
	return n, err
}

// tellRefused tells of a caller that was not let in, at most once a second: any
// user of the machine may call as often as it likes.
func (s *Server) tellRefused(peer unixsock.Peer, known bool, r *http.Request) {
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

func (s *Server) admit(r *http.Request) error {
	if r.Header.Get("Origin") != "" || r.Header.Get("Referer") != "" {
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
	if v := r.Header.Get(protocol.HeaderProtocol); v != "" {
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
