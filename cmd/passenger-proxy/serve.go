package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"passenger/lib/cli"
	"passenger/lib/control"
	"passenger/lib/fdstore"
	"passenger/lib/proc"
	"passenger/lib/protocol"
	"passenger/lib/proxy"
	"passenger/lib/proxy/accesslog"
	"passenger/lib/proxy/buffering"
	"passenger/lib/proxy/certificate"
	"passenger/lib/proxy/forwarded"
	"passenger/lib/proxy/listen"
	"passenger/lib/recorder"
	"passenger/lib/statedir"
	"passenger/lib/status"
	"passenger/lib/systemd"
)

const program = "passenger-proxy"

type serveCommand struct {
	cli.ControlSocket
	cli.LogFormat
	cli.Recording

	Listen      []string `short:"l" placeholder:"ADDR" help:"Where to accept clients: HOST:PORT, :PORT, unix:PATH[?mode=MODE&group=GROUP] or fd:N or fd:NAME, with tls: before it for HTTPS, or secure-headers:unix:PATH for a web server that configures apps. May be repeated. Default: the sockets that systemd passed, else :3000."`
	Certificate []string `placeholder:"FILE" help:"A certificate with its chain, PEM, for tls: addresses. May be repeated, each with its --key; clients get the one that fits the name they ask for."`
	Key         []string `placeholder:"FILE" help:"The key of the certificate in the same place."`
	acmeFlags
	secureHeaderFlags
	portFlags
	RedirectHTTPS  bool          `name:"redirect-https" help:"Send requests in plain text to the same address over HTTPS."`
	H2C            bool          `name:"h2c" help:"Serve HTTP/2 without TLS too, to clients that begin with it."`
	ProxyProtocol  bool          `help:"Connections of trusted proxies begin with a PROXY header, version 1 or 2."`
	TrustedProxy   []string      `placeholder:"NETWORK" help:"Believe X-Forwarded-* headers from this network or address. May be repeated."`
	TrustedPeer    []string      `placeholder:"USER|@GROUP" help:"Believe them from this user, or members of this group, on unix sockets, beside root and our own user. May be repeated."`
	DataBufferDir  string        `placeholder:"DIR" help:"Where requests' bodies are kept until they are whole, and what clients do not take of answers. Default: the system's directory for temporary files."`
	DataBuffer     int64         `name:"data-buffer-size" default:"4294967296" placeholder:"BYTES" help:"Keep at most so many bytes there in all (${default}; 0 for no limit)."`
	DataBufferApp  int64         `name:"data-buffer-app-size" default:"2147483648" placeholder:"BYTES" help:"Keep at most so many for one app (${default})."`
	CompressionMem int           `name:"compression-memory" default:"16777216" placeholder:"BYTES" help:"Take at most so many bytes of memory to compress answers (${default})."`
	DataBufferConn int64         `name:"data-buffer-connection-size" default:"268435456" placeholder:"BYTES" help:"Keep at most so many for one client's connection (${default})."`
	ServerTiming   bool          `help:"Tell clients in Server-Timing how long a request waited for a process."`
	TraceParent    bool          `name:"traceparent" help:"Begin a trace for requests that bring no traceparent."`
	AccessLog      string        `enum:"none,common,combined,vhost,json,short" default:"none" placeholder:"FORMAT" help:"Write a line for each request: common, combined, vhost, json (Elastic Common Schema), short (for people) or none (${default})."`
	OTLPEndpoint   string        `name:"otlp-endpoint" placeholder:"URL" help:"Send traces to this collector, over OTLP/HTTP: http://HOST:4318. Default: what $$OTEL_EXPORTER_OTLP_ENDPOINT says, else none."`
	AccessLogFile  string        `placeholder:"FILE" help:"Append them to this file, which SIGUSR1 opens anew. Default: standard error."`
	HeaderTimeout  time.Duration `default:"30s" help:"Time for a client to send a request's header (${default})."`
	BodyTimeout    time.Duration `default:"60s" help:"Longest silence in a request's body (${default})."`
	IdleTimeout    time.Duration `default:"75s" help:"Time between two requests of a client (${default})."`
	WriteTimeout   time.Duration `default:"60s" help:"Longest time that a client takes nothing of an answer (${default})."`
	HalfClose      time.Duration `name:"half-close-timeout" default:"10s" help:"Time for one side of an upgraded connection after the other has ended (${default})."`
	DrainTimeout   time.Duration `default:"30s" help:"Time for requests in flight when the proxy stops (${default})."`

	ShutdownDelay time.Duration `default:"0s" help:"Time for balancers to learn that the proxy stops: so long it still accepts clients, and says that it goes (${default})."`

	certificates *certificate.Set             // nil if there are none
	sockets      map[string]listen.SocketFile // by address
}

func (c *serveCommand) Run(ctx context.Context, cmd *command) error {
	manager := systemd.Started()
	if err := c.readSockets(); err != nil {
		return err
	}
	at, err := c.takePlace(cmd)
	if err != nil {
		return err
	}
	defer at.leave()
	watched, err := c.ports(at.sockets)
	if err != nil {
		return err
	}
	c.addresses(at.sockets)
	if err := c.check(); err != nil {
		return err
	}
	config, err := c.config()
	if err != nil {
		return err
	}
	if config.SecureHeaders, err = c.secureHeaders(at.dir); err != nil {
		return err
	}
	if config.Traces, err = c.traces(); err != nil {
		return err
	}
	if config.AccessLog, err = c.openLog(); err != nil {
		return err
	}
	listeners, err := c.listen(at)
	if err != nil {
		return err
	}
	if err := c.letGroupIn(); err != nil {
		return err
	}
	shareProcessors()
	p := proxy.New(config)
	if err := p.LoadRoutes(at.dir.Routes()); err != nil {
		slog.Warn("could not read the last route table; waiting for the pool", "err", err)
	}
	s := &service{place: at, listeners: listeners, ports: watched, deposit: c.deposit(at.dir, listeners), manager: manager, proxy: p}
	if s.tools, err = c.listenToTools(at.dir); err != nil {
		return err
	}
	if err := at.take(); err != nil {
		s.tools.discard()
		return err
	}
	if err := s.tools.publish(); err != nil {
		slog.Error("serving without control sockets; another proxy cannot take over", "err", err)
	}
	slog.Info("proxy started", "listen", strings.Join(c.shown(listeners), " "), "state_dir", at.dir.Path(), "taken_over", at.old != nil)
	keepAt(manager, s.deposit)
	if at.old != nil {
		manager.Tell(systemd.MainPID(os.Getpid()))
	}
	s.signals = make(chan os.Signal, 3) // one of each
	signal.Notify(s.signals, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP)
	manager.Tell(systemd.Ready) // and who hears that may send them
	handed := c.serve(ctx, s)
	slog.Info("proxy stopped", "handed_over", handed)
	if handed {
		return nil
	}
	return errors.Join(os.Remove(at.dir.Handover()), os.Remove(at.dir.Socket(statedir.Proxy)))
}

// openLog opens the access log, nil if none is wanted.
func (c *serveCommand) openLog() (*accesslog.File, error) {
	if c.AccessLog == "none" {
		return nil, nil
	}
	l, err := accesslog.Open(c.AccessLogFile, accesslog.Format(c.AccessLog))
	if err != nil {
		return nil, fmt.Errorf("cannot open the access log: %w", err)
	}
	return l, nil
}

// A service is what a proxy holds while it serves.
type service struct {
	*place
	listeners []net.Listener
	ports     ports
	deposit   *fdstore.Deposit
	manager   *systemd.Manager
	tools     *tools
	proxy     *proxy.Proxy
	signals   chan os.Signal // that are wishes; see obey
}

// shareProcessors leaves half of the processors to the apps, unless
// $GOMAXPROCS says otherwise. A request is a chain of short steps in proxy and
// process; threads that look for work between them cost a third of the proxy's
// time on two processors (18 instead of 26 µs a request to Rack).
func shareProcessors() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/2))
	}
}

// stopTime is what a proxy needs to end beyond its delay and its drain.
const stopTime = 10 * time.Second

// serve runs the parts until ctx ends, the control socket is told to drain, or
// a successor took over: then handed is true.
func (c *serveCommand) serve(ctx context.Context, s *service) (handed bool) {
	p := s.proxy
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	// The rest outlives the drain: who asks sees how it goes, and the pool's
	// tables and our reports tell which processes are idle.
	rest, stopRest := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stopRest()

	server := &control.Server{Program: program, Release: cli.Release, Group: s.tools.group, Usage: proc.UsageOfSelf, Complete: func(info *protocol.Info) {
		info.Listen = c.shown(s.listeners)
		s.ports.tell(info, &c.portFlags)
	}}
	p.Register(server, stop)
	pool := control.NewClient(s.dir.Socket(statedir.Pool), program, cli.Release)
	id := fmt.Sprintf("%d-%x", os.Getpid(), time.Now().UnixNano())
	wg.Go(func() {
		if err := server.Serve(rest, s.tools.control); err != nil {
			slog.Error("control socket failed", "err", err)
		}
	})
	wg.Go(func() { p.Follow(rest, pool) })
	if p.AccessLog != nil {
		wg.Go(func() { p.AccessLog.Run(rest) })
	}
	if p.Traces != nil {
		wg.Go(func() { p.Traces.Run(rest) })
	}
	if c.certificates != nil {
		wg.Go(func() { c.certificates.Run(rest) })
	}
	wg.Go(func() { c.obey(ctx, rest, s) })
	wg.Go(func() { s.deposit.Run(ctx) })
	wg.Go(func() { s.manager.Watch(rest, p.Pulse) })
	present, succeeded := context.WithCancel(rest) // for what a successor does once it took over
	defer succeeded()
	wg.Go(func() { s.ports.serve(present, s, server) })
	if !c.NoRecording {
		wg.Go(func() { recorderOf(s.dir, p).Run(present) })
	}
	stopping := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), proxy.ErrHandedOver) { // the service goes on
			succeeded()
			return
		}
		s.manager.Tell(systemd.Stopping)
		s.manager.Tell(systemd.Extend(c.ShutdownDelay + c.DrainTimeout + stopTime))
	})
	defer stopping()
	wg.Go(func() { p.Report(rest, pool, id) })
	// Only while no request is under way: it would wait for this.
	wg.Go(func() { proc.KeepSettled(rest, p.Idle) })
	offered := make(chan bool, 1) // room for its one answer
	go func() {
		addresses, listeners := c.offered(s)
		ok := listen.Offer(ctx, s.tools.handover, s.lock.File(), addresses, listeners)
		if ok {
			slog.Info("sockets handed over")
			s.deposit.Forget()
			stop(proxy.ErrHandedOver)
		}
		offered <- ok
	}()
	p.Serve(ctx, s.listeners)
	return <-offered
}

// recorderOf keeps what the proxy sees.
func recorderOf(dir statedir.Dir, p *proxy.Proxy) *recorder.Recorder {
	return &recorder.Recorder{Dir: dir, Daemon: statedir.Proxy, Look: func(context.Context) (status.Snapshot, error) {
		apps := p.Apps()
		return status.Snapshot{Proxy: &apps}, nil
	}}
}

// obey opens the log anew at each SIGUSR1, reads the certificates anew at each
// SIGHUP, and begins an upgrade at SIGUSR2, until rest ends; ctx ends when the
// proxy accepts no more. What is not there makes the signal mean nothing.
func (c *serveCommand) obey(ctx, rest context.Context, s *service) {
	defer signal.Stop(s.signals)
	l, m := s.proxy.AccessLog, s.manager
	next := &upgrade{manager: m, args: os.Args, wait: upgradeWait}
	defer next.leave()
	for {
		select {
		case <-rest.Done():
			return
		case sig := <-s.signals:
			switch {
			case sig == syscall.SIGUSR1 && l != nil:
				if err := l.Reopen(rest); err != nil {
					slog.Error("could not reopen the access log", "err", err)
				}
			case sig == syscall.SIGUSR2 && ctx.Err() == nil:
				next.begin(ctx)
			case sig == syscall.SIGHUP:
				m.Reloading()
				if c.certificates != nil {
					c.certificates.Reload()
				}
				m.Tell(systemd.Ready)
			}
		}
	}
}

func (c *serveCommand) checkTimes() error {
	if c.ShutdownDelay < 0 || c.ShutdownDelay > proxy.MostLeave {
		return usage("--shutdown-delay is from 0 to %v, not %v", proxy.MostLeave, c.ShutdownDelay)
	}
	for _, d := range []time.Duration{c.HeaderTimeout, c.BodyTimeout, c.IdleTimeout, c.WriteTimeout, c.DrainTimeout} {
		if d <= 0 {
			return usage("a timeout of %v is not allowed: it must be over 0", d)
		}
	}
	return nil
}

func (c *serveCommand) config() (proxy.Config, error) {
	if err := c.checkTimes(); err != nil {
		return proxy.Config{}, err
	}
	networks, err := forwarded.ParseNetworks(c.TrustedProxy)
	if err != nil {
		return proxy.Config{}, &cli.Error{Err: fmt.Errorf("--trusted-proxy: %w", err), Status: cli.Usage}
	}
	peers, err := c.trustedPeers()
	if err != nil {
		return proxy.Config{}, err
	}
	if c.certificates, err = c.loadCertificates(); err != nil {
		return proxy.Config{}, err
	}
	return proxy.Config{Release: cli.Release, CompressionMemory: c.CompressionMem, DataBufferDir: c.DataBufferDir, Disk: buffering.Limits{All: c.DataBuffer, App: c.DataBufferApp, Connection: c.DataBufferConn}, Trusted: networks, TrustedPeers: peers, ServerTiming: c.ServerTiming, TraceParent: c.TraceParent,
		Certificates: c.certificates, RedirectHTTPS: c.RedirectHTTPS, HTTPSPort: c.httpsPort(), HTTP2Plain: c.H2C, ProxyHeader: c.ProxyProtocol, Timeouts: proxy.Timeouts{
			Header: c.HeaderTimeout, Body: c.BodyTimeout, Idle: c.IdleTimeout, Write: c.WriteTimeout, Drain: c.DrainTimeout, Leave: c.ShutdownDelay, HalfClose: c.HalfClose,
		}}, nil
}

func listenError(address string, err error) error {
	err = fmt.Errorf("cannot listen on %q: %w", address, err)
	switch {
	case errors.Is(err, syscall.EACCES):
		return cli.Hint(err, "ports below 1024 need privileges; try --listen :8080")
	case errors.Is(err, syscall.EADDRINUSE):
		return cli.Hint(err, "another program listens there; stop it or pass another --listen")
	}
	return err
}
