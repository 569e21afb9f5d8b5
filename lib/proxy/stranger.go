package proxy

import (
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"

	"passenger/lib/account"
	"passenger/lib/http1"
	"passenger/lib/unixsock"
)

// Peers are the users of this machine who may speak for clients over a unix
// socket, beside root and our own.
type Peers struct{ UIDs, GIDs []int }

func (p *Peers) trusts(u unixsock.Peer) bool {
	return u.UID == 0 || u.UID == os.Geteuid() || slices.Contains(p.UIDs, u.UID) || slices.Contains(p.GIDs, u.GID) ||
		slices.ContainsFunc(u.Groups, func(gid int) bool { return slices.Contains(p.GIDs, gid) })
}

// A stranger is a user of this machine whom we do not believe about clients.
type stranger struct{ pid, uid int }

// strangerOf returns who is at the other end of a connection over a unix socket,
// nil for one that may speak for clients.
func (p *Proxy) strangerOf(nc net.Conn) *stranger {
	c, ok := transport(nc).(*net.UnixConn)
	if !ok {
		return &stranger{uid: unknownUser}
	}
	u, err := unixsock.PeerOf(c)
	switch {
	case err != nil:
		return &stranger{uid: unknownUser}
	case p.TrustedPeers.trusts(u):
		return nil
	}
	return &stranger{u.PID, u.UID}
}

// disbelieved are the users of whom it was said that they are not believed.
type disbelieved struct{ said sync.Map }

// disbelieve tells once of a user that would have spoken for clients: it may be
// the web server in front, and only the administrator knows.
func (x *exchange) disbelieve(s *stranger) {
	claims := false
	for i := range x.req.Count() {
		switch x.req.Kind(i) {
		case http1.XForwardedFor, http1.XForwardedProto, http1.XForwardedHost, http1.XForwardedPort:
			claims = true
		}
	}
	if !claims || s.uid == unknownUser {
		return
	}
	p := x.client.proxy
	if _, said := p.disbelieved.said.LoadOrStore(s.uid, true); said {
		return
	}
	go func() { // the user database may take its time
		name := account.NameOf(s.uid)
		slog.Warn("X-Forwarded headers over a unix socket are not believed", "user", name, "pid", s.pid,
			"hint", "if this is your web server, add --trusted-peer="+name)
	}()
}
