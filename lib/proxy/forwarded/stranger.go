package forwarded

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"

	"passenger/lib/account"
	"passenger/lib/http1"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/wire"
	"passenger/lib/security"
	"passenger/lib/unixsock"
)

// Peers are the users of this machine who may speak for clients over a unix
// socket, beside root and our own.
type Peers struct{ UIDs, GIDs []int }

func (p *Peers) trusts(u unixsock.Peer) bool {
	return u.UID == 0 || u.UID == os.Geteuid() || slices.Contains(p.UIDs, u.UID) || slices.Contains(p.GIDs, u.GID) ||
		slices.ContainsFunc(u.Groups, func(gid int) bool { return slices.Contains(p.GIDs, gid) })
}

// A Stranger is a user of this machine that may not speak for clients.
type Stranger struct{ pid, uid int }

// StrangerOf returns the user at the other end of a connection over a unix socket,
// nil for one that may speak for clients.
func (p *Peers) StrangerOf(nc net.Conn) *Stranger {
	c, ok := wire.Transport(nc).(*net.UnixConn)
	if !ok {
		return &Stranger{uid: files.UnknownUser}
	}
	u, err := unixsock.PeerOf(c)
	switch {
	case err != nil:
		return &Stranger{uid: files.UnknownUser}
	case p.trusts(u):
		return nil
	}
	return &Stranger{u.PID, u.UID}
}

// Disbelieved are the users and addresses that the log has called not believed:
// once for each is enough.
type Disbelieved struct {
	said sync.Map

	mu        sync.Mutex // guards addresses
	addresses map[string]bool
}

// maxDisbelieved is of how many addresses we tell.
const maxDisbelieved = 16

// OverTCP tells once of a client that says that its own client speaks HTTPS: it
// may be the web server in front, and then apps redirect for good. Of clients
// with public addresses, of which many may claim so, it tells once in all.
func (d *Disbelieved) OverTCP(addr string) {
	key := addr
	if ip, err := netip.ParseAddr(addr); err != nil {
		return
	} else if !ip.IsPrivate() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
		key = "public"
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.addresses[key] || len(d.addresses) == maxDisbelieved {
		return
	}
	if d.addresses == nil {
		d.addresses = map[string]bool{}
	}
	d.addresses[key] = true
	slog.Warn("X-Forwarded-Proto: https is not believed", security.ForwardedRefused.Attr(), "client", addr,
		"hint", "if this is your web server, add --trusted-proxy="+addr)
}

// OverUnix tells once of a user that would have spoken for clients: it may be the
// web server in front, and only the administrator knows.
func (d *Disbelieved) OverUnix(s *Stranger, r *http1.Request) {
	claims := false
	for i := range r.Count() {
		switch r.Kind(i) {
		case http1.XForwardedFor, http1.XForwardedProto, http1.XForwardedHost, http1.XForwardedPort:
			claims = true
		}
	}
	if !claims || s.uid == files.UnknownUser {
		return
	}
	if _, said := d.said.LoadOrStore(s.uid, true); said {
		return
	}
	go func() { // the user database may take its time
		name := account.NameOf(s.uid)
		slog.Warn("X-Forwarded headers over a unix socket are not believed", security.ForwardedRefused.Attr(), "user", name, "pid", s.pid,
			"hint", "if this is your web server, add --trusted-peer="+name)
	}()
}

// ParseNetworks reads networks and addresses.
func ParseNetworks(texts []string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, s := range texts {
		n, err := netip.ParsePrefix(s)
		if err != nil {
			a, aerr := netip.ParseAddr(s)
			if aerr != nil {
				return nil, fmt.Errorf("%q is neither a network nor an address", s)
			}
			n = netip.PrefixFrom(a, a.BitLen())
		}
		list = append(list, n.Masked())
	}
	return list, nil
}
