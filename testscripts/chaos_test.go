package testscripts

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"passenger/lib/protocol"
	"passenger/lib/statedir"
)

var (
	chaosTime = flag.Duration("chaos", 0, "how long chaos lasts; 0 leaves it out")
	chaosSeed = flag.Uint64("chaos-seed", uint64(time.Now().UnixNano()), "what chaos happens")
)

// recoverBound is how soon after the last fault all must be as it was before: a
// restart may be the last, and its new processes are on trial for three seconds.
const recoverBound = 5 * time.Second

// chaosBound is the longest that chaos lasts.
const chaosBound = 30 * time.Second

// mostKilled processes of the app are killed: one that died more often soon
// after it was ready would be given a rest.
const mostKilled = 8

// mostInside requests are inside a proxy at once: the load has that many
// clients.
const mostInside = 3

// mostIdle connections to processes may be open that were not before.
const mostIdle = 4

// Chaos kills parts of a server at random, and counts what that may cost.
type chaos struct {
	ts     *testscript.TestScript
	w      *world
	app    string
	serve  []string // arguments of passenger-pool serve
	chance *rand.Rand
	killed int // processes that were killed with requests inside
	cut    int // requests that may have been inside killed proxies
	faults int
}

// cmdChaos kills the pool, the spawner, the proxy, preloaders, processes of an app or
// several of them at once, and restarts the app, at random moments while a load runs; what
// starts daemons again is this command. It fails if more requests failed than
// were inside a killed process, or if all is not as before soon after:
// chaos LOAD APP [ARGS of passenger-pool serve]
func cmdChaos(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: chaos LOAD APP [ARGS of passenger-pool serve]")
	}
	w := worldOf(ts)
	c := &chaos{ts: ts, w: w, app: args[1], serve: args[2:], chance: rand.New(rand.NewPCG(*chaosSeed, 0))}
	ts.Logf("chaos for %v with -chaos-seed=%d", *chaosTime, *chaosSeed)
	before := c.census()
	for end := time.Now().Add(min(*chaosTime, chaosBound)); time.Now().Before(end); {
		time.Sleep(time.Duration(c.chance.IntN(300)) * time.Millisecond)
		c.fault()
	}
	ts.Check(c.recovered(before))
	l := w.loads[args[0]]
	l.stop()
	ts.Logf("%d faults, %d processes killed, %d requests answered, %d failed", c.faults, c.killed, l.good.Load(), len(l.failed))
	ts.Check(c.judge(l))
	ts.Check(eventually("the proxy's descriptors", func() error {
		if now := c.census().descriptors; now > before.descriptors+mostIdle {
			return fmt.Errorf("%d are open, %d were before", now, before.descriptors)
		}
		return nil
	}))
}

// fault does one thing at random.
func (c *chaos) fault() {
	c.faults++
	switch c.chance.IntN(8) {
	case 0:
		c.daemons(statedir.Pool)
	case 1:
		c.daemons(statedir.Spawn)
	case 2:
		c.daemons(statedir.Pool, statedir.Spawn)
	case 3:
		c.process()
		c.daemons(statedir.Pool, statedir.Spawn)
	case 4:
		c.process()
		c.process()
	case 5:
		c.preloader()
	case 6:
		// A proxy that dies before a new spawner has its sockets died with the
		// old one, and that may cost more.
		c.ts.Check(c.w.awaitMetric(statedir.Spawn, regexp.MustCompile(`(?m)^passenger_spawn_kept_sockets 1$`)))
		c.daemons(statedir.Proxy)
		c.cut += mostInside
	default:
		// It may find nobody there, or a restart under way.
		_ = c.w.client(statedir.Pool).Call(context.Background(), http.MethodPost,
			protocol.PathApps+"/"+c.app+"/restart", protocol.RestartRequest{}, nil)
	}
}

// daemons kills daemons, and starts them again after a moment as an init
// system does.
func (c *chaos) daemons(names ...string) {
	for _, name := range names {
		c.ts.Check(c.w.signal("KILL", name))
	}
	time.Sleep(time.Duration(c.chance.IntN(100)) * time.Millisecond)
	for _, name := range names {
		args := []string{"passenger-spawn", "serve", "--stop-on-exit"}
		switch name {
		case statedir.Pool:
			args = append([]string{"passenger-pool", "serve"}, c.serve...)
		case statedir.Proxy:
			args = c.w.daemons[name].cmd.Args
		}
		c.ts.Check(c.w.start(c.ts, name, args))
	}
	for _, name := range names {
		c.ts.Check(c.w.up(c.ts, name))
	}
}

// process kills one process of the app.
func (c *chaos) process() {
	a, err := c.w.app(c.app)
	if err != nil || len(a.Processes) == 0 || c.killed == mostKilled {
		return
	}
	p := a.Processes[c.chance.IntN(len(a.Processes))]
	if p.PID > 1 && syscall.Kill(p.PID, syscall.SIGKILL) == nil {
		c.killed++
	}
}

// preloader kills a preloader of the app, if there is one.
func (c *chaos) preloader() {
	var list protocol.PreloaderList
	err := c.w.client(statedir.Spawn).Call(context.Background(), http.MethodGet, protocol.PathPreloaders, nil, &list)
	if err != nil || len(list.Preloaders) == 0 {
		return
	}
	if p := list.Preloaders[c.chance.IntN(len(list.Preloaders))]; p.PID > 1 {
		_ = syscall.Kill(p.PID, syscall.SIGKILL) // it may be gone already
	}
}

// A census is what must be as before.
type census struct{ ready, records, descriptors int }

func (c *chaos) census() census {
	n := census{descriptors: descriptors(c.w.daemons[statedir.Proxy].cmd.Process.Pid)}
	a, err := c.w.app(c.app)
	c.ts.Check(err)
	for _, p := range a.Processes {
		if p.State == protocol.Ready {
			n.ready++
		}
	}
	records, _ := filepath.Glob(filepath.Join(c.w.state, "processes", "*"))
	n.records = len(records)
	return n
}

func descriptors(pid int) int {
	list, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd") // 0 for who is gone
	return len(list)
}

// recovered waits until the app serves with as many processes as before, no
// restart is under way, and nothing is left of those that are gone.
func (c *chaos) recovered(before census) error {
	began := time.Now()
	err := eventually("the state before", func() error {
		a, err := c.w.app(c.app)
		if err != nil {
			return err
		}
		now := c.census()
		switch {
		case a.State != protocol.AppReady:
			return fmt.Errorf("app %s is %s; last error: %v", c.app, a.State, a.LastError)
		case now.ready < before.ready, now.ready != len(a.Processes):
			return fmt.Errorf("%d processes serve of %d, want %d", now.ready, len(a.Processes), before.ready)
		case now.records > len(a.Processes):
			return fmt.Errorf("%d process directories for %d processes", now.records, len(a.Processes))
		}
		return noZombies()
	})
	took := time.Since(began)
	c.ts.Logf("as before after %v", took.Round(time.Millisecond))
	if err == nil && took > recoverBound {
		err = fmt.Errorf("all was as before after %v only", took)
	}
	return err
}

// noZombies looks for dead children that nobody waited for, of this test's
// programs.
func noZombies() error {
	list, err := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range list {
		b, gone := os.ReadFile(path)
		if gone != nil {
			continue
		}
		head, rest, _ := strings.Cut(string(b), ") ")
		fields := strings.Fields(rest)
		if len(fields) > 1 && fields[0] == "Z" && ours(fields[1]) {
			return fmt.Errorf("%s) is a zombie of %s", head, fields[1])
		}
	}
	return err
}

// ours says that a pid is one of the spawners that were started here.
func ours(pid string) bool {
	exe, err := os.Readlink("/proc/" + pid + "/exe")
	return err == nil && strings.HasPrefix(exe, bin)
}

// judge says what failed beyond what was inside killed processes, at most one
// request each and answered 502, and inside killed proxies: no connection is
// refused.
func (c *chaos) judge(l *load) error {
	var lost []string
	killed, cut := 0, 0
	for _, why := range l.failed {
		switch {
		case strings.HasPrefix(why, "status 502") && killed < c.killed:
			killed++
		case (strings.HasSuffix(why, "EOF") || strings.HasSuffix(why, "reset by peer")) && cut < c.cut:
			cut++
		default:
			lost = append(lost, why)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	return errors.New("lost beyond what ran in killed processes and proxies:\n" + strings.Join(lost[:min(5, len(lost))], "\n"))
}
