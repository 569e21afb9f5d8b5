package spawn

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"

	"passenger/lib/bug"
	"passenger/lib/protocol"
	"passenger/lib/spawn/survey"
)

// A generation is what the processes of one app and generation have in common:
// the release that they are started from, and the preloader that forks them.
type generation struct {
	app    string
	number int

	attempts int // how many are under way; guarded by the spawner's mu

	watching sync.Mutex       // guards manifest; held while the release is looked at
	manifest *survey.Manifest // of the release as the first process found it, nil if none was taken

	mu       sync.Mutex       // guards the fields below
	logical  string           // the app root as the settings have it, empty if an earlier spawner resolved it
	release  survey.Release   // where the app root led, the zero release until the first start
	found    *survey.Findings // of the last look at it, nil until the first
	foundBy  protocol.AppConfig
	boot     *boot  // of the preloader, nil if there is none
	deaths   int    // of preloaders, since one made a process that got ready
	toldOpen bool   // the log says that its processes listen on all addresses
	direct   string // why its processes are started directly, empty while they are not
}

// maxDeaths is how many preloaders of a generation may die before its
// processes are started directly.
const maxDeaths = 2

// errDirect says that the generation's processes are started directly.
var errDirect = errors.New("processes of this generation are started directly")

// A boot is a preloader on its way, and then the preloader.
type boot struct {
	done      chan struct{} // closed when the fields below are set
	preloader *preloader
	err       error // errDirect or a *protocol.SpawnError
}

// preloaderFor returns the generation's preloader once it can fork. It is
// started if there is none. The error is errDirect, ctx's cause or a
// *protocol.SpawnError.
func (g *generation) preloaderFor(ctx context.Context, a *attempt) (*preloader, error) {
	g.mu.Lock()
	if g.direct != "" {
		g.mu.Unlock()
		return nil, errDirect
	}
	if g.boot == nil || g.boot.ended() {
		g.boot = &boot{done: make(chan struct{})}
		go g.start(ctx, a, g.boot)
	}
	b := g.boot
	g.mu.Unlock()
	select {
	case <-b.done:
		return b.preloader, b.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// ended says whether the boot failed, or its preloader is gone.
func (b *boot) ended() bool {
	select {
	case <-b.done:
		return b.err != nil || b.preloader.gone()
	default:
		return false
	}
}

// start starts the generation's preloader, and a second one if the first dies
// without saying why.
func (g *generation) start(ctx context.Context, a *attempt, b *boot) {
	defer close(b.done)
	defer bug.Caught(func() { b.err = a.internalError() })
	for {
		l, died, err := a.startPreloader(ctx)
		switch {
		case err == nil && !a.plan.Forkable(l.warnings):
			l.end()
			b.err = g.goDirect("a fork would not be safe: " + strings.Join(l.warnings, "; "))
		case err == nil:
			b.preloader = l
		case died && g.died() < maxDeaths:
			continue
		case died:
			b.err = g.goDirect("its preloader died twice: " + err.Error())
		default:
			b.err = err
		}
		return
	}
}

// died counts a preloader that died while it booted.
func (g *generation) died() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deaths++
	return g.deaths
}

// lost ends a preloader that did not fork, so that the next attempt gets another.
// Several attempts may report the same one.
func (g *generation) lost(l *preloader, why error) {
	slog.Warn("preloader did not fork", "app", g.app, "generation", g.number, "err", why)
	l.Kill("killed by us: " + why.Error())
	g.mu.Lock()
	first := g.boot != nil && g.boot.ended() && g.boot.preloader == l
	if first {
		g.boot = nil
		g.deaths++
	}
	over := first && g.deaths >= maxDeaths
	g.mu.Unlock()
	if over {
		_ = g.goDirect("its preloader did not fork twice: " + why.Error()) // the next attempt sees it
	}
}

// proven says that a process of the preloader got ready.
func (g *generation) proven() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deaths = 0
}

// goDirect gives up preloading for this generation and says why.
func (g *generation) goDirect(why string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.direct = why
	slog.Warn("processes are started directly", "app", g.app, "generation", g.number, "reason", why)
	return errDirect
}

// preloader returns the generation's preloader, nil if none is there now.
func (g *generation) preloader() *preloader {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.boot == nil {
		return nil
	}
	select {
	case <-g.boot.done:
		return g.boot.preloader
	default:
		return nil
	}
}

// generationOf returns the generation, which stays until leave. The caller
// calls that when its attempt is over. It returns nil while starts are held.
func (s *Spawner) generationOf(app string, number int) (g *generation, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held {
		return nil, nil
	}
	g = s.generationLocked(app, number)
	g.attempts++
	return g, func() {
		s.mu.Lock()
		g.attempts--
		s.mu.Unlock()
		s.retire()
		s.publish()
	}
}

func (s *Spawner) generationLocked(app string, number int) *generation {
	for _, g := range s.generations {
		if g.app == app && g.number == number {
			return g
		}
	}
	g := &generation{app: app, number: number}
	s.generations = append(s.generations, g)
	return g
}

// retire forgets the generations that are over, and stops their preloaders. A
// generation is over when it has no process and a later one serves.
func (s *Spawner) retire() {
	s.mu.Lock()
	newest, alive := map[string]int{}, map[*generation]bool{}
	for _, p := range s.processes {
		r := p.Snapshot()
		if r.State == protocol.Ready {
			newest[r.App] = max(newest[r.App], r.Generation)
		}
		if r.State != protocol.Exited {
			alive[s.generationLocked(r.App, r.Generation)] = true
		}
	}
	var kept, over []*generation
	for _, g := range s.generations {
		if g.attempts == 0 && !alive[g] && newest[g.app] > g.number {
			over = append(over, g)
		} else {
			kept = append(kept, g)
		}
	}
	s.generations = kept
	s.mu.Unlock()
	for _, g := range over {
		s.manifests.drop(g)
		if l := g.preloader(); l != nil {
			bug.Go(l.end)
		}
	}
}
