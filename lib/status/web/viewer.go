package web

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"passenger/lib/protocol"
	"passenger/lib/security"
	"passenger/lib/status"
	"passenger/lib/unixsock"
)

// A viewer is who asks, and whose apps he may see.
type viewer struct {
	all bool
	uid int // the owner of the apps that he sees, unless all
}

// sees says whether the viewer may see an app.
func (v viewer) sees(s status.Snapshot, app string) bool {
	return v.all || ownerOf(s, app) == v.uid
}

// nobody is no user's number.
const nobody = -1

// ownerOf is the user that an app runs as: what the route table says, else its
// processes, if they agree; nobody if that is not known.
func ownerOf(s status.Snapshot, app string) int {
	owner := nobody
	processes := s.Records
	if s.Processes != nil {
		processes = s.Processes.Processes
	}
	for i := range processes {
		p := &processes[i]
		if p.App != app || p.UID == nil {
			continue
		}
		if owner != nobody && owner != *p.UID {
			return nobody
		}
		owner = *p.UID
	}
	if i := slices.IndexFunc(s.Routes.Apps, func(r *protocol.Route) bool { return r.App == app }); i >= 0 && s.Routes.Apps[i].UID != nil {
		if uid := *s.Routes.Apps[i].UID; owner == nobody || owner == uid {
			return uid
		}
		return nobody
	}
	return owner
}

// foreign says that apps run as other users than the daemons' own: then not
// everybody on the machine may see all of them.
func foreign(s status.Snapshot, own int) bool {
	if slices.ContainsFunc(s.Parts, func(p status.Part) bool { return p.SwitchesUsers }) {
		return true
	}
	list := s.Records
	if s.Processes != nil {
		list = s.Processes.Processes
	}
	return slices.ContainsFunc(list, func(p protocol.Process) bool { return p.UID != nil && *p.UID != own })
}

type connKey struct{}

// withConn keeps who is at the other end of a connection.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if k, ok := c.(*counted); ok {
		c = k.Conn
	}
	uc, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	peer, err := unixsock.PeerOf(uc)
	if err != nil {
		return context.WithValue(ctx, connKey{}, unixsock.Peer{UID: nobody})
	}
	return context.WithValue(ctx, connKey{}, peer)
}

// A refusal is why somebody is not let in.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return r.message }

// viewerOf says who asks. Over a unix socket the kernel tells; over TCP the token
// does, if there has to be one.
func (s *Server) viewerOf(r *http.Request) (viewer, error) {
	if peer, local := r.Context().Value(connKey{}).(unixsock.Peer); local {
		switch {
		case peer.UID == nobody:
			return viewer{}, &refusal{http.StatusForbidden, "the system does not tell who you are"}
		case peer.Trusted(-1) || peer.UID == s.owner:
			return viewer{all: true}, nil
		}
		return viewer{uid: peer.UID}, nil
	}
	if s.Token != "" {
		if s.knowsToken(r) {
			return viewer{all: true}, nil
		}
		return viewer{}, &refusal{http.StatusUnauthorized, "a token is needed: send it as \"Authorization: Bearer TOKEN\", or open / in a browser"}
	}
	snapshot, err := s.source.snapshot.get(r.Context())
	if err != nil {
		return viewer{}, err
	}
	if s.strict.Load() || foreign(snapshot.Snapshot, s.owner) {
		s.strict.Store(true) // it stays so: the spawner may be away for a moment
		return viewer{}, &refusal{http.StatusForbidden, "apps run as other users here, so a token is needed, and passenger-status serve was started without: run \"passenger-status token\" and start it again"}
	}
	return viewer{all: true}, nil
}

func (s *Server) knowsToken(r *http.Request) bool {
	if said, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		knows := s.Token.is(strings.TrimSpace(said))
		if !knows {
			s.tellOfGuess(r)
		}
		return knows
	}
	c, err := r.Cookie(cookieName(r))
	return err == nil && s.Token.admits(c.Value, time.Now())
}

// tellOfGuess logs that somebody said a token that is wrong, once a second: a
// guess is as good as any.
func (s *Server) tellOfGuess(r *http.Request) {
	if s.guesses.Due() {
		slog.Warn("call refused", security.CallRefused.Attr(), "reason", "wrong token", "client.ip", host(r.RemoteAddr), "path", r.URL.Path)
	}
}

// host is an address without its port.
func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}

// cookieName tells servers apart that listen on other ports of the same host:
// cookies do not.
func cookieName(r *http.Request) string {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		return fmt.Sprintf("passenger-status-%d", a.Port)
	}
	return "passenger-status"
}

// knowsHost refuses names that are not ours: a page of another site could give
// its own name our address, and would then be allowed to read us (DNS
// rebinding). An address cannot be given to anybody else.
func (s *Server) knowsHost(r *http.Request) bool {
	if _, local := r.Context().Value(connKey{}).(unixsock.Peer); local {
		return true // no browser connects there
	}
	name := strings.ToLower(strings.TrimSuffix(strings.Trim(host(r.Host), "[]"), "."))
	if _, err := netip.ParseAddr(name); err == nil || name == "localhost" {
		return true
	}
	own, err := os.Hostname()
	return err == nil && name == strings.ToLower(own) || slices.Contains(s.Hosts, name)
}
