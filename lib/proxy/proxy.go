// Package proxy is the data plane: it takes requests from clients, finds the
// app, waits in its queue for the least busy process, and passes requests and
// responses on, over an HTTP/1.1 engine of its own.
//
// It knows the apps from the route table that the pool publishes, and goes on
// with the last one while the pool is down. A goroutine per client connection
// does all the work of a request; a second one exists only while a long body
// or an upgraded connection flows both ways at once.
package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"passenger/lib/compress"
	"passenger/lib/loglimit"
	"passenger/lib/protocol"
	"passenger/lib/proxy/accesslog"
	"passenger/lib/proxy/balance"
	"passenger/lib/proxy/buffering"
	"passenger/lib/proxy/certificate"
	"passenger/lib/proxy/crowd"
	"passenger/lib/proxy/descriptors"
	"passenger/lib/proxy/files"
	"passenger/lib/proxy/forwarded"
	"passenger/lib/proxy/fronted"
	"passenger/lib/proxy/page"
	"passenger/lib/proxy/park"
	"passenger/lib/proxy/tally"
	"passenger/lib/proxy/trace"
	"passenger/lib/proxy/wire"
)

// errStopping says that the proxy goes away.
var errStopping = errors.New("the proxy is stopping")

// Timeouts bound each wait for a client. Those for a process are in the
// route table.
type Timeouts struct {
	Header time.Duration // from a request's first byte to the end of its head
	Body   time.Duration // a silence in a request's body
	Idle   time.Duration // between requests
	Write  time.Duration // a client or process takes nothing
	Drain  time.Duration // for requests in flight when the proxy stops

	HalfClose time.Duration // for one side of an upgraded connection after the other has ended

	// Leave is how long new clients are accepted still once the proxy is to stop:
	// balancers learn of it late.
	Leave time.Duration
}

// A Config is what a proxy is told at start.
type Config struct {
	// Release is our version; apps see it in SERVER_SOFTWARE.
	Release string

	Timeouts Timeouts

	// Trusted are the networks whose X-Forwarded-* headers are believed,
	// TrustedPeers the users and groups that may send them on unix sockets.
	Trusted      []netip.Prefix
	TrustedPeers forwarded.Peers

	// AccessLog gets a line for each request; nil for none.
	AccessLog *accesslog.File

	// DataBufferDir is where bodies are kept, in files without a name; empty
	// for the system's directory of temporary files.
	DataBufferDir string

	// Disk bounds what is kept there.
	Disk buffering.Limits

	// CompressionMemory is how many bytes the encoders of answers may take.
	CompressionMemory int

	// Certificates are for the listeners of tls: addresses; nil if there are
	// none.
	Certificates *certificate.Set

	// RedirectHTTPS sends requests in plain text to HTTPSPort, 443 if it is
	// empty.
	RedirectHTTPS bool
	HTTPSPort     string

	// HTTP2Plain serves HTTP/2 without TLS to clients that begin with it.
	HTTP2Plain bool

	// ProxyHeader says that connections of trusted clients begin with a PROXY
	// header.
	ProxyHeader bool

	// SecureHeaders are for the listeners of secure-headers: addresses.
	SecureHeaders fronted.Config

	// ServerTiming tells clients how long their requests waited for a process.
	ServerTiming bool

	// TraceParent makes a traceparent for requests that bring none.
	TraceParent bool

	// Traces tells a collector of requests; nil if none is to hear of them.
	Traces *trace.Exporter

	// For tests; the constants of the same names if they are 0.
	idlePatience time.Duration
	reportEvery  time.Duration
	mostMemory   int64
	mostWaiting  int // balance.MemoryPlaces
	slowAfter    time.Duration

	mostHistograms int64
}

// A Proxy serves clients. Make it with New, give it a table with SetRoutes,
// and run it.
type Proxy struct {
	Config

	index    atomic.Pointer[index]
	leaving  atomic.Bool // clients are asked to go
	draining atomic.Bool // no new clients
	parting  atomic.Bool // and no successor comes
	clock    *wire.Clock
	dates    page.Dates
	report   chan struct{} // has room for one: a report is due
	hurried  chan struct{} // has room for one: the delay before the drain is to end

	mu   sync.Mutex // guards apps; who changes index holds it
	apps map[string]*app

	clients sync.WaitGroup
	quiet   *park.Lot    // those of them that are parked; nil unless Serve runs
	crowd   *crowd.Crowd // of those that need less memory from now on

	http2        *http2Server
	unrouted     tally.Ends // of requests for which there was no app
	times        tally.Timekeeper
	registrar    *fronted.Registrar
	tls          *tls.Config      // nil without Certificates
	complained   loglimit.Limiter // of a disk that takes no body of a request
	unkeptLogged loglimit.Limiter // of one that takes none of an answer
	encoders     compress.Pool
	cached       atomic.Int64 // bytes of answers that are kept
	disbelieved  forwarded.Disbelieved
	dialer       balance.Dialer
	unkept       atomic.Uint64    // bodies that could not be kept on disk
	disk         buffering.Share  // for bodies
	memory       buffering.Memory // for answers that clients do not take
	misses       files.Misses
	descriptors  descriptors.Limit
	waiting      atomic.Int64  // requests in all queues
	evicted      atomic.Uint64 // idle clients that were closed for others
}

// tick is how often the clock looks at the connections. Waits are no finer.
const tick = 200 * time.Millisecond

// New returns a proxy without routes.
func New(c Config) *Proxy {
	p := &Proxy{Config: c, apps: map[string]*app{}, report: make(chan struct{}, 1), hurried: make(chan struct{}, 1), crowd: crowd.New(crowd.Settle)}
	p.idlePatience = cmp.Or(p.idlePatience, idlePatience)
	p.reportEvery = cmp.Or(p.reportEvery, reportEvery)
	p.clock = wire.NewClock(min(tick, max(c.Timeouts.shortest()/4, 5*time.Millisecond)), p.sweep)
	p.dialer = balance.Dialer{Clock: p.clock, WriteWait: c.Timeouts.Write}
	p.index.Store(&index{})
	p.http2 = newHTTP2Server()
	p.times.Most = cmp.Or(p.mostHistograms, tally.MostHistograms)
	p.registrar = fronted.NewRegistrar(c.SecureHeaders, p.clients.Go)
	p.disk.Most, p.encoders.Most = c.Disk.All, c.CompressionMemory
	p.mostWaiting = cmp.Or(p.mostWaiting, balance.MemoryPlaces())
	p.memory.Most = cmp.Or(p.mostMemory, mostMemory)
	if c.Certificates != nil {
		p.tls = c.Certificates.Config()
	}
	return p
}

func (t *Timeouts) shortest() time.Duration {
	return min(t.Header, t.Body, t.Idle, t.Write, t.HalfClose)
}

// SetRoutes puts a route table into use. When it returns, no process that
// drains in the table gets a new session. Routes that are in the table before, by
// their pointers, are in use already.
func (p *Proxy) SetRoutes(t *protocol.Routes) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var came []*mount
	x := newIndex(t, p.index.Load(), func(r *protocol.Route) *mount {
		m := newMount(p.app(r.App), r)
		came = append(came, m)
		return m
	})
	for _, m := range came {
		m.app.apply(m.route)
		m.cache = p.turbocache(m.app, m.route)
	}
	p.index.Store(x)
	p.registrar.TableCame()
	for name, a := range p.apps {
		if x.byName[name] == nil {
			a.balance.Remove()
			p.turbocache(a, &protocol.Route{})
		}
	}
	p.changed()
}

// changed asks for a report at once.
func (p *Proxy) changed() {
	select {
	case p.report <- struct{}{}:
	default:
	}
}

func (p *Proxy) sweep(now int64) {
	for _, a := range p.allApps() {
		a.balance.Sweep(now)
	}
}

func (p *Proxy) trusts(ip netip.Addr) bool {
	for _, n := range p.Trusted {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

// Serve accepts clients on the listeners until ctx ends, and for as long as
// Timeouts.Leave says after that, then drains: it accepts no more, finishes the requests in flight, each with Connection:
// close, and cuts off those that outlast the drain timeout. It closes the
// listeners. Upgraded connections are closed at once unless the context's cause
// is ErrHandedOver.
func (p *Proxy) Serve(ctx context.Context, listeners []net.Listener) {
	clock, stopClock := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stopClock()
	wg.Go(func() { p.clock.Run(clock) })
	p.quiet = park.New(wire.Small)
	wg.Go(func() { p.quiet.Run(clock) })
	var accepting sync.WaitGroup
	open, shut := context.WithCancel(context.WithoutCancel(ctx))
	defer shut()
	for _, l := range listeners {
		accepting.Go(func() { p.accept(open, l) })
	}
	<-ctx.Done()
	p.leave(context.Cause(ctx))
	shut()
	p.draining.Store(true)
	p.parting.Store(!errors.Is(context.Cause(ctx), ErrHandedOver))
	for _, l := range listeners {
		l.Close()
	}
	accepting.Wait()
	p.drain()
}

// drain waits for the clients to leave.
func (p *Proxy) drain() {
	by := p.clock.Now.Load() + int64(partingTime)
	p.clock.Each(func(c *wire.Conn) {
		if k := clientOf(c); k != nil {
			k.part(by)
		}
	})
	p.http2.shutdown(true)
	if p.parting.Load() {
		p.dismiss(false)
	}
	gone := make(chan struct{})
	go func() {
		p.clients.Wait()
		close(gone)
	}()
	deadline := time.NewTimer(p.Timeouts.Drain)
	defer deadline.Stop()
	select {
	case <-gone:
	case <-deadline.C:
		p.cutOff()
		<-gone
	}
	for _, a := range p.allApps() {
		a.balance.Close()
	}
}

// cutOff ends what outlasted the drain.
func (p *Proxy) cutOff() {
	p.clock.Ending.Store(true)
	for _, a := range p.allApps() {
		a.balance.Stop(errStopping)
	}
	p.dismiss(true)
	cut := 0
	p.clock.Each(func(c *wire.Conn) {
		k := clientOf(c)
		if k == nil {
			c.Interrupt()
			return
		}
		cut++
		k.Wake()
		c.InterruptRead()
		c.BoundWrite(wire.LastWords)
	})
	p.http2.cutOff()
	slog.Warn("drain timed out", "connections", cut)
}

// ErrHandedOver is the cause with which a proxy's context ends once a successor
// accepts: upgraded connections then stay until the drain is over, as the
// requests do. When a proxy is stopped they are closed at once.
var ErrHandedOver = errors.New("a successor took over")

// dismiss does it for all apps.
func (p *Proxy) dismiss(force bool) {
	for _, a := range p.allApps() {
		a.balance.DismissAll(force)
	}
}

const (
	// defaultMostKept is Passenger's response_buffer_high_watermark.
	defaultMostKept = 128 << 20

	// mostMemory is how many bytes of all answers together, that their clients
	// do not take, are held in memory.
	mostMemory = 8 << 20
)
