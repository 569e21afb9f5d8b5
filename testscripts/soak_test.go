package testscripts

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"passenger/lib/statedir"
)

var (
	soakTime = flag.Duration("soak", 0, "how long a soak lasts; 0 leaves it out")
	soakRate = flag.Int("soak-rate", 500, "its requests a second")
)

const (
	soakLooks  = 120 // how often a soak looks at the daemons
	mostAtOnce = 500 // requests of a soak under way; a slower server gets fewer

	// What a daemon may have more of after a soak than after its first half:
	// what is under way at the moment of a look is never quite the same.
	mostMoreKB   = 2 << 10
	mostMoreOpen = 8
)

// A soak is a mixed load at a modest rate for a long time.
type soak struct {
	soakClients
	requests sync.WaitGroup

	mu     sync.Mutex // guards counts, failed
	counts map[string]int
	failed []string
}

// A usage is what a daemon has at a moment.
type usage struct{ kb, descriptors, goroutines int }

// cmdSoak loads a proxy that listens in plain text and with TLS, with requests
// of all kinds, and watches the daemons. It fails if any request that should
// have an answer had none, or if a daemon has more memory, descriptors or
// goroutines at the end than before its middle: soak ADDRESS TLS-ADDRESS
func cmdSoak(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: soak ADDRESS TLS-ADDRESS")
	}
	w, s := worldOf(ts), &soak{counts: map[string]int{}}
	s.open(address(args[0]), address(args[1]))
	defer s.close()
	began, ended := time.Now(), make(chan struct{})
	go func() {
		defer close(ended)
		s.run(began.Add(*soakTime))
	}()
	seen := map[string][]usage{}
	for i := range soakLooks {
		time.Sleep(time.Until(began.Add(*soakTime * time.Duration(i+1) / (soakLooks + 1))))
		for _, name := range []string{statedir.Spawn, statedir.Pool, statedir.Proxy} {
			u, err := w.usage(name)
			ts.Check(err)
			seen[name] = append(seen[name], u)
		}
	}
	<-ended
	ts.Logf("%v: %v, %d failed", time.Since(began).Round(time.Second), s.counts, len(s.failed))
	var errs []error
	if len(s.failed) > 0 {
		errs = append(errs, fmt.Errorf("requests failed:\n%s", strings.Join(s.failed[:min(10, len(s.failed))], "\n")))
	}
	for name, list := range seen {
		second, last := median(list[soakLooks/4:soakLooks/2]), median(list[soakLooks*3/4:])
		ts.Logf("%s: %+v in the second quarter, %+v in the last", name, second, last)
		if last.kb > second.kb+mostMoreKB || last.descriptors > second.descriptors+mostMoreOpen || last.goroutines > second.goroutines+mostMoreOpen {
			errs = append(errs, fmt.Errorf("%s grew from %+v to %+v", name, second, last))
		}
	}
	ts.Check(errors.Join(errs...))
}

// run makes requests, evenly spaced, and waits for all of them.
func (s *soak) run(until time.Time) {
	chance := rand.New(rand.NewPCG(1, 0))
	room := make(chan struct{}, mostAtOnce)
	for at := time.Now(); at.Before(until); at = at.Add(time.Second / time.Duration(*soakRate)) {
		time.Sleep(time.Until(at))
		k := pick(chance.IntN(100))
		room <- struct{}{}
		s.requests.Go(func() {
			s.note(k.name, k.do(&s.soakClients))
			<-room
		})
	}
	s.requests.Wait()
}

func (s *soak) note(kind string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[kind]++
	if err != nil {
		s.failed = append(s.failed, kind+": "+err.Error())
	}
}

var (
	residentLine   = regexp.MustCompile(`(?m)^VmRSS:\s*(\d+)`)
	goroutinesLine = regexp.MustCompile(`(?m)^passenger_goroutines\S* (\d+)$`)
)

func (w *world) usage(daemon string) (usage, error) {
	pid := w.daemons[daemon].cmd.Process.Pid
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return usage{}, err
	}
	metrics, err := w.metrics(daemon)
	if err != nil {
		return usage{}, err
	}
	u := usage{descriptors: descriptors(pid)}
	u.kb, err = number(residentLine, status)
	if err == nil {
		u.goroutines, err = number(goroutinesLine, metrics)
	}
	return u, err
}

// number is the one that the pattern finds in text.
func number(pattern *regexp.Regexp, text []byte) (int, error) {
	m := pattern.FindSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("no %v in:\n%s", pattern, text)
	}
	return strconv.Atoi(string(m[1]))
}

// median is that of each figure.
func median(list []usage) usage {
	of := func(figure func(usage) int) int {
		var all []int
		for _, u := range list {
			all = append(all, figure(u))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	return usage{
		of(func(u usage) int { return u.kb }),
		of(func(u usage) int { return u.descriptors }),
		of(func(u usage) int { return u.goroutines }),
	}
}
