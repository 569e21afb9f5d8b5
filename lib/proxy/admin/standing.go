package admin

import (
	"fmt"
	"math"
	"strings"

	"passenger/lib/proxy/balance"
)

// A Standing is what a proxy could do for a request that came now.
type Standing struct {
	// Leaving says that the proxy is about to end, or drains.
	Leaving bool

	// Routed says that a route table came.
	Routed bool

	// Configured says that a web server in front may add apps by its requests: to
	// have none is no fault then.
	Configured bool

	Apps []balance.Standing
}

// errLeaving is why a proxy that is about to end takes nothing new.
const errLeaving = "the proxy is stopping"

// unready says why the proxy is not to get requests, empty if it is to. One app
// that serves is enough: a broken one does not take the proxy from the others.
func (s *Standing) unready() string {
	switch {
	case s.Leaving:
		return errLeaving
	case !s.Routed:
		return "no route table has come yet"
	case len(s.Apps) == 0 && !s.Configured:
		return "there is no app"
	}
	var broken []string
	for _, a := range s.Apps {
		if a.Why == "" {
			return ""
		}
		broken = append(broken, fmt.Sprintf("app %q: %s", a.App, a.Why))
	}
	return strings.Join(broken[:min(len(broken), mostNamed)], "; ")
}

// mostNamed is how many broken apps a reason names.
const mostNamed = 3

// app is the standing of an app, nil if there is none of that name.
func (s *Standing) app(name string) *balance.Standing {
	for i := range s.Apps {
		if s.Apps[i].App == name {
			return &s.Apps[i]
		}
	}
	return nil
}

// unreadyFor is unready for requests of one app.
func (s *Standing) unreadyFor(name string) string {
	a := s.app(name)
	switch {
	case s.Leaving || !s.Routed:
		return s.unready()
	case a == nil:
		return fmt.Sprintf("there is no app %q", name)
	case a.Why != "":
		return fmt.Sprintf("app %q: %s", name, a.Why)
	}
	return ""
}

// share is which part of the places for requests is free. Where no process has a
// limit all are.
func (s *Standing) share() float64 {
	slots, free := 0, 0
	for _, a := range s.Apps {
		slots += a.Slots
		free += a.Free
	}
	if slots == 0 {
		return 1
	}
	return float64(free) / float64(slots)
}

// percent is at least 1: a balancer gives a server of weight 0 nothing, and so would
// have none when all are busy.
func percent(share float64) int { return max(int(math.Round(share*100)), 1) }

// agentLine is what HAProxy's agent-check reads (its manual, "agent-check"), with a
// share of free places.
func (s *Standing) agentLine(share float64) string {
	if s.Leaving {
		return "drain\n"
	}
	if why := s.unready(); why != "" {
		return "down # " + why + "\n"
	}
	return fmt.Sprintf("up ready %d%%\n", percent(share))
}
