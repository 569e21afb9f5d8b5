package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"

	"passenger/lib/cli"
	"passenger/lib/control"
	"passenger/lib/protocol"
	"passenger/lib/proxy/admin"
	"passenger/lib/proxy/listen"
)

type portFlags struct {
	Admin string `name:"admin-listen" placeholder:"ADDR" help:"Answer /livez, /readyz and /metrics at this HOST:PORT or :PORT, for those who watch from other machines. Default: nowhere."`
	Agent string `name:"agent-listen" placeholder:"ADDR" help:"Answer HAProxy's agent-check at this HOST:PORT or :PORT. Default: nowhere."`
}

// Ports are listeners for those who watch the proxy; nil where there is none.
type ports struct{ admin, agent net.Listener }

// What the ports are called where they are handed over, before their address.
const (
	adminPrefix = "admin:"
	agentPrefix = "agent:"
)

// ports listens where the flags say, on the sockets of the proxy before us if it
// has some there. It closes the others: they are no addresses for clients.
func (f *portFlags) ports(before *listen.Sockets) (p ports, err error) {
	if p.admin, err = listenAtPort(before, "--admin-listen", adminPrefix, f.Admin); err == nil {
		p.agent, err = listenAtPort(before, "--agent-listen", agentPrefix, f.Agent)
	}
	return p, err
}

func listenAtPort(before *listen.Sockets, flag, prefix, address string) (net.Listener, error) {
	l, err := before.Take(prefix, address)
	if err != nil || l != nil || address == "" {
		return l, err
	}
	if err := checkPort(flag, address); err != nil {
		return nil, err
	}
	l, err = listen.At(address, listen.SocketFile{})
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, cli.Hint(fmt.Errorf("cannot listen on %q: %w", address, err), "another program listens there; stop it or pass another %s", flag)
	}
	if err != nil {
		return nil, listenError(address, err)
	}
	return l, nil
}

// checkPort refuses what other machines could not reach.
func checkPort(flag, address string) error {
	if address == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "" || host == "unix" || host == "fd" { // these two are what --listen calls other things
		return usage("%s: %q is not an address; it is HOST:PORT or :PORT", flag, address)
	}
	return nil
}

// serve answers at the ports until ctx ends.
func (p ports) serve(ctx context.Context, s *service, server *control.Server) {
	var wg sync.WaitGroup
	defer wg.Wait()
	if p.admin != nil {
		port := &admin.Port{Proxy: s.proxy, Metrics: server.MetricsText}
		wg.Go(func() { port.Serve(ctx, p.admin) })
	}
	if p.agent != nil {
		wg.Go(func() { admin.ServeAgent(ctx, p.agent, s.proxy) })
	}
}

// tell says where the ports are, for which the flags asked.
func (p ports) tell(info *protocol.Info, f *portFlags) {
	if p.admin != nil {
		info.AdminListen = shownAt(f.Admin, p.admin)
	}
	if p.agent != nil {
		info.AgentListen = shownAt(f.Agent, p.agent)
	}
}

// offered are all sockets that a successor may want, and their addresses.
func (c *serveCommand) offered(s *service) (addresses []string, listeners []net.Listener) {
	addresses, listeners = append(addresses, c.Listen...), append(listeners, s.listeners...)
	if s.ports.admin != nil {
		addresses, listeners = append(addresses, adminPrefix+c.Admin), append(listeners, s.ports.admin)
	}
	if s.ports.agent != nil {
		addresses, listeners = append(addresses, agentPrefix+c.Agent), append(listeners, s.ports.agent)
	}
	return addresses, listeners
}

// addresses are those of the ports that are wanted and could be.
func (f *portFlags) addresses() (list []string) {
	for _, address := range []string{f.Admin, f.Agent} {
		if address != "" && checkPort("", address) == nil {
			list = append(list, address)
		}
	}
	return list
}
