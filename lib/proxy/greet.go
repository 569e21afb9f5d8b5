package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"

	"passenger/lib/bug"
	"passenger/lib/proxy/accesslog"
	"passenger/lib/proxy/certificate"
	"passenger/lib/proxy/greeting"
	"passenger/lib/proxy/wire"
)

// greet does what comes before the first request of a connection, a PROXY
// header or a TLS handshake, and then serves it.
func (p *Proxy) greet(nc net.Conn, secure bool) {
	below := nc
	defer bug.Caught(func() { below.Close() })
	deadline := time.Now().Add(p.Timeouts.Header)
	if err := nc.SetDeadline(deadline); err != nil {
		nc.Close()
		return
	}
	if p.ProxyHeader && p.trustsConn(nc) {
		c, err := greeting.ReadProxyHeader(nc, p.Timeouts.Header)
		if err != nil {
			slog.Debug("connection refused", "client", nc.RemoteAddr(), "err", err)
			nc.Close()
			return
		}
		nc = c
	}
	if secure {
		t := tls.Server(nc, p.tls)
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		err := t.HandshakeContext(ctx)
		cancel()
		if err != nil {
			slog.Debug("TLS handshake not completed", "client", nc.RemoteAddr(), "err", err)
			if brings := (tls.RecordHeaderError{}); errors.As(err, &brings) && brings.Conn != nil && greeting.IsPlain(brings.RecordHeader[:]) {
				greeting.RefusePlain(brings.Conn, p.dates.At(time.Now()))
			}
			nc.Close()
			return
		}
		nc = t
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		nc.Close()
		return
	}
	if t, ok := nc.(*tls.Conn); ok {
		switch t.ConnectionState().NegotiatedProtocol {
		case "h2":
			p.clients.Go(func() { p.serveHTTP2(nc, true) }) // as below
			return
		case certificate.ACMEProtocol:
			nc.Close() // the handshake was all that was asked for
			return
		}
	}
	c := newStream(p, nc)
	c.secure, c.tls = secure, p.tlsLogged(nc)
	if sc, ok := wire.Transport(nc).(syscall.Conn); ok {
		c.watch, _ = sc.SyscallConn() // without it c is not parked
	}
	// In a goroutine of its own, whose stack no handshake has made large.
	p.clients.Add(1)
	go c.run()
}

// tlsLogged is what the access log says of the TLS of nc; nil without either.
func (p *Proxy) tlsLogged(nc net.Conn) *accesslog.TLS {
	if t, ok := nc.(*tls.Conn); ok && p.AccessLog != nil {
		return accesslog.NewTLS(t.ConnectionState())
	}
	return nil
}

// trustsConn says that the peer of nc may speak for clients.
func (p *Proxy) trustsConn(nc net.Conn) bool {
	a, ok := nc.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return p.TrustedPeers.StrangerOf(nc) == nil
	}
	ip, _ := netip.AddrFromSlice(a.IP)
	return p.trusts(ip.Unmap())
}

// origin is the address that a connection comes from, nil over a unix socket.
func origin(nc net.Conn) *net.TCPAddr {
	a, _ := nc.RemoteAddr().(*net.TCPAddr)
	return a
}

// newStream returns a client on a stream.
func newStream(p *Proxy, nc net.Conn) *client {
	c := &client{proxy: p}
	c.identify(nc)
	c.OpenStream(nc, p.clock)
	return c
}
